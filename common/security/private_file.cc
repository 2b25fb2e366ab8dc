#include "common/security/private_file.h"

#include <sys/stat.h>

namespace ebla::security {

Status CheckPrivate(const std::string& file) {
  struct stat about{};
  if (stat(file.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO) & ~S_IRGRP) != 0)
    return {Code::kInvalidArgument, file + " can be read by others: chmod 600 " + file};
  return {};
}

}  // namespace ebla::security
