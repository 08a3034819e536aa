/* libcurl, which signs by CURLOPT_AWS_SIGV4: an easy handle for each thread, or a multi handle in one thread.
 *
 *   curl easy|multi URL CASE CALLS IN_FLIGHT SIZE */

#include <curl/curl.h>

#include "bench.h"

struct transfer {
    const struct bench *bench;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t received, room;
};

static size_t receive(char *data, size_t one, size_t count, void *argument) {
    (void)one;
    struct transfer *transfer = argument;
    if (transfer->received + count > transfer->room) {
        transfer->room =
            transfer->received + count > 2 * transfer->room ? transfer->received + count : 2 * transfer->room;
        transfer->body = realloc(transfer->body, transfer->room);
    }
    memcpy(transfer->body + transfer->received, data, count);
    transfer->received += count;
    return count;
}

static void choose(struct transfer *transfer, const char *function) {
    char url[256];
    snprintf(url, sizeof url, "%s/2015-03-31/functions/%s/invocations", transfer->bench->url, function);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
}

static void *make(const struct bench *bench) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    transfer->bench = bench;
    transfer->easy = curl_easy_init();
    char keys[256];
    snprintf(keys, sizeof keys, "%s:%s", getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"));
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:lambda");
    curl_easy_setopt(easy, CURLOPT_USERPWD, keys);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bench->payload);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bench->size);
    /* No "Expect:", which would keep a large request from waiting for a 100: some versions sign it, but do not send it. */
    transfer->headers = curl_slist_append(transfer->headers, "Content-Type: application/octet-stream");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    choose(transfer, "f");
    return transfer;
}

static void expect(struct transfer *transfer, CURLcode code) {
    check(code == CURLE_OK, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    check(status == 200 && transfer->received == transfer->bench->size, "another response was expected");
    /* The response is the application's: the next call gathers its own. */
    free(transfer->body);
    transfer->body = NULL;
    transfer->received = transfer->room = 0;
}

static void calls(void *argument, const char *function, int count) {
    struct transfer *transfer = argument;
    choose(transfer, function);
    for (int i = 0; i < count; i++) {
        expect(transfer, curl_easy_perform(transfer->easy));
    }
}

static void release(void *argument) {
    struct transfer *transfer = argument;
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    free(transfer);
}

/* Keeps in_flight calls in flight until all are made. */
static void calls_of_multi(
    CURLM *multi, struct transfer **transfers, const struct bench *bench, const char *function, int count) {
    int begun = 0, done = 0, running, left;
    for (; begun < bench->in_flight && begun < count; begun++) {
        choose(transfers[begun], function);
        curl_multi_add_handle(multi, transfers[begun]->easy);
    }
    while (done < count) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
            struct transfer *transfer;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
            expect(transfer, message->data.result);
            curl_multi_remove_handle(multi, transfer->easy);
            done++;
            if (begun < count) {
                curl_multi_add_handle(multi, transfer->easy);
                begun++;
            }
        }
        if (done < count) {
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
        }
    }
}

static void run_multi(const struct bench *bench) {
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)bench->in_flight);
    struct transfer **transfers = calloc((size_t)bench->in_flight, sizeof(void *));
    for (int i = 0; i < bench->in_flight; i++) {
        transfers[i] = make(bench);
    }
    if (bench_is(bench, "burst")) {
        calls_of_multi(multi, transfers, bench, BURST[0], bench->in_flight);
        sleep(PAUSE_SECONDS);
        calls_of_multi(multi, transfers, bench, BURST[1], bench->in_flight);
        meter_finish(meter_start(), 1, -1);
    } else {
        calls_of_multi(multi, transfers, bench, "f", bench_warm_up(bench) * bench->in_flight);
        struct meter meter = meter_start();
        calls_of_multi(multi, transfers, bench, "f", bench->calls);
        meter_finish(meter, bench->calls, -1);
    }
    for (int i = 0; i < bench->in_flight; i++) {
        release(transfers[i]);
    }
    free(transfers);
    curl_multi_cleanup(multi);
}

int main(int argc, char **argv) {
    check(argc > 1, "usage: curl easy|multi URL CASE CALLS IN_FLIGHT SIZE");
    struct bench bench = bench_from(argc - 1, argv + 1);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (strcmp(argv[1], "multi") == 0) {
        run_multi(&bench);
    } else {
        static const bench_client easy = {make, calls, release};
        bench_block(&bench, &easy);
    }
    curl_global_cleanup();
    free(bench.payload);
    return 0;
}
