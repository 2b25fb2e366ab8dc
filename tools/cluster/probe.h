// tools/cluster/probe.h
// Asks a process on this machine how it is: its address file and its /readyz.
// Errors:  UNAVAILABLE with the reason a person can use.
// Threads: free functions; each blocks for `timeout` at most.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/security/tls.h"

namespace ebla::cluster {

// The certificates that a process which runs uses as a server, by its --tls_dir; null: it speaks in the clear.
Result<std::shared_ptr<security::TlsCredentials>> CertificatesOf(pid_t pid);

// The answer to GET http://host:port/path, with its head; the host is an IPv4 address. With `tls`, over TLS.
// UNAVAILABLE: no answer.
Result<std::string> GetPage(const std::string& host, uint16_t port, const std::string& path,
                            std::chrono::milliseconds timeout,
                            const std::shared_ptr<security::TlsCredentials>& tls = nullptr);

// OK when http://host:port/readyz answers 200, the host being an IPv4 address; else why not, in the process's own words
// where it has any.
Status AskReady(const std::string& host, uint16_t port, std::chrono::milliseconds timeout,
                const std::shared_ptr<security::TlsCredentials>& tls = nullptr);

// The value of `key` in <data_dir>/ADDRESS (common/process/process.h): "thrift", "http", "pid". Empty: there is none.
std::string AddressIn(const std::string& data_dir, const std::string& key);

// Whether <data_dir>/ADDRESS was written by process `pid`, thus after it began to serve.
bool HasAddress(const std::string& data_dir, pid_t pid);

// OK once process `pid` has written <data_dir>/ADDRESS and is ready.
Status AskReadyIn(const std::string& data_dir, pid_t pid, std::chrono::milliseconds timeout);

// Whether a server could listen on 127.0.0.1:port at this moment.
bool PortIsFree(uint16_t port);

}  // namespace ebla::cluster
