// Calls that wait until they are ended: see functions/gate.py.

#ifndef GATE_HPP
#define GATE_HPP

#include "check.hpp"

namespace gate {

inline lambda::request wait(const std::string &name) {
    return lambda::request("gate").payload("wait " + name);
}

inline bool ask(const lambda::client &client, const std::string &question) {
    return client.invoke(lambda::request("gate").payload(question)).payload() == "yes";
}

// Whether such a call has reached the endpoint.
inline bool is_waiting(const lambda::client &client, const std::string &name) {
    return ask(client, "waiting " + name);
}

// Whether its connection was closed, which is waited for.
inline bool has_ended(const lambda::client &client, const std::string &name) {
    return ask(client, "ended " + name);
}

}  // namespace gate

#endif
