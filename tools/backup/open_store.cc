#include "tools/backup/open_store.h"

#include <cstdlib>

#include "tools/backup/directory_store.h"
#include "tools/backup/s3_store.h"

namespace ebla::backup {

Result<std::unique_ptr<BackupStore>> OpenStore(const StoreAddress& address, std::function<bool()> interrupted) {
  if (address.place.starts_with("s3://")) {
    EBLA_ASSIGN(S3Settings settings, FindS3Settings(address.place, address.s3_endpoint, address.s3_region,
                                                    [](const char* name) -> const char* { return std::getenv(name); }));
    S3ClientOptions options;
    options.interrupted = std::move(interrupted);
    return std::make_unique<S3Store>(std::move(settings), std::move(options));
  }
  if (address.place.find("://") != std::string::npos)
    return Error(Code::kInvalidArgument,
                 "\"" + address.place + "\" is no place for backups: a directory, or s3://BUCKET/PREFIX");
  return std::make_unique<DirectoryStore>(address.place);
}

}  // namespace ebla::backup
