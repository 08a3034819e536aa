// Checks that say where they failed, what they expected and what they found. A program goes on after a failed check, so
// that one run shows all of them, and ends with `return check::done();`.

#ifndef CHECK_HPP
#define CHECK_HPP

#include <lambda_invoke.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

namespace check {

inline std::atomic<int> failures{0};

inline int done() {
    return failures == 0 ? 0 : 1;
}

// Whether a slow tool looks on: fewer rounds.
inline bool light() {
    return std::getenv("CHECK_LIGHT") != nullptr;
}

inline int rounds(int full, int light_rounds) {
    return light() ? light_rounds : full;
}

inline void failed(const char *file, int line, const std::string &what) {
    ++failures;
    std::ostringstream text;
    text << file << ':' << line << ": " << what << '\n';
    // In one piece: threads report at the same time.
    std::cerr << text.str() << std::flush;
}

template <typename T>
void show(std::ostream &out, const T &value) {
    if constexpr (std::is_enum_v<T>) {
        out << static_cast<long long>(value);
    } else {
        out << value;
    }
}

template <typename T>
void show(std::ostream &out, const std::optional<T> &value) {
    if (value) {
        show(out, *value);
    } else {
        out << "nothing";
    }
}

inline void show(std::ostream &out, const std::nullopt_t &) {
    out << "nothing";
}

template <typename Found, typename Expected>
void same(const char *file, int line, const char *what, const Found &found, const Expected &expected) {
    if (found == expected) {
        return;
    }
    std::ostringstream text;
    text << what << " is \"";
    show(text, found);
    text << "\", not \"";
    show(text, expected);
    text << '"';
    failed(file, line, text.str());
}

inline void has(const char *file, int line, const char *what, std::string_view found, std::string_view part) {
    if (found.find(part) == std::string_view::npos) {
        failed(file, line, std::string(what) + " has no \"" + std::string(part) + "\": \"" + std::string(found) + '"');
    }
}

}  // namespace check

#define CHECK(condition) ((condition) ? (void)0 : check::failed(__FILE__, __LINE__, "not so: " #condition))
#define CHECK_SAME(found, expected) check::same(__FILE__, __LINE__, #found, (found), (expected))
#define CHECK_HAS(found, part) check::has(__FILE__, __LINE__, #found, (found), (part))

// Expects the statement to throw exactly this class, and gives the exception to what follows as `caught`.
#define CHECK_THROWS(statement, type, ...)                                                                     \
    try {                                                                                                      \
        statement;                                                                                             \
        check::failed(__FILE__, __LINE__, "nothing was thrown by " #statement);                                \
    } catch (const type &caught) {                                                                             \
        CHECK(typeid(caught) == typeid(type));                                                                 \
        __VA_ARGS__;                                                                                           \
    } catch (const std::exception &unexpected) {                                                               \
        check::failed(__FILE__, __LINE__, std::string("not " #type " was thrown, but: ") + unexpected.what()); \
    }

#endif
