// Changes a number in two threads at once, on purpose: ThreadSanitizer must see it, or it would see nothing elsewhere either.

#include <thread>

namespace {

void count(int &number) {
    for (int i = 0; i < 1000; ++i) {
        ++number;
    }
}

}  // namespace

int main() {
    int number = 0;
    std::thread other([&number] { count(number); });
    count(number);
    other.join();
    return number > 0 ? 0 : 1;
}
