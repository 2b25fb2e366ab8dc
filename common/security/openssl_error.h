// common/security/openssl_error.h
// OpenSSL's latest error, for people. Internal to common/security.
// Threads: any; it is the calling thread's latest error.
#pragma once

#include <string>

namespace ebla::security {

// The reason of the first error in OpenSSL's queue, which is empty afterwards.
std::string OpenSslError();

}  // namespace ebla::security
