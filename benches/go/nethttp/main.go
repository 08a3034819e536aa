// nethttp measures net/http with a signature by hand, which does only what these requests need.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/lambda-invoke/liblambda_invoke/benches/go/bench"
)

const signed = "content-type;host;x-amz-date"

var accessKey, secretKey = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")

func main() {
	c := bench.FromArguments()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = c.InFlight, c.InFlight
	client := &http.Client{Transport: transport}
	c.Run(func(function string) (int, int, error) {
		path := "/2015-03-31/functions/" + function + "/invocations"
		request, err := http.NewRequest(http.MethodPost, c.URL+path, bytes.NewReader(c.Payload))
		if err != nil {
			return 0, 0, err
		}
		sign(request, path, c.Payload)
		response, err := client.Do(request)
		if err != nil {
			return 0, 0, err
		}
		defer response.Body.Close()
		body := make([]byte, max(response.ContentLength, 0))
		_, err = io.ReadFull(response.Body, body)
		return response.StatusCode, len(body), err
	})
}

func sign(request *http.Request, path string, payload []byte) {
	now := time.Now().UTC()
	moment, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/us-east-1/lambda/aws4_request"
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("X-Amz-Date", moment)
	canonical := "POST\n" + path + "\n\ncontent-type:application/octet-stream\nhost:" + request.Host +
		"\nx-amz-date:" + moment + "\n\n" + signed + "\n" + digest(payload)
	key := mac(mac(mac(mac([]byte("AWS4"+secretKey), moment[:8]), "us-east-1"), "lambda"), "aws4_request")
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+moment+"\n"+scope+"\n"+digest([]byte(canonical))))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/"+scope+
		", SignedHeaders="+signed+", Signature="+signature)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}
