// master/leader/table_admin.h
// Operators' requests about whole tables: create, alter, drop, compact; and the procedures behind these.
// Place:   leader_term.h makes one; service.h calls it.
// Answers: when the procedure has finished, or after `patience` with DEADLINE_EXCEEDED and its progress, if the request
//          is in the catalog and continues.
// Threads: thread-compatible; the master's executor.
#pragma once

#include <string>
#include <vector>

#include "master/leader/term_parts.h"

namespace ebla::master {

class TableAdmin {
 public:
  using Done = coordination::Callback<Status>;

  explicit TableAdmin(const TermParts& parts) : parts_(parts) {}
  // Takes up what an earlier master has begun.
  void Resume();

  // Waits within `patience` for as many servers that live as it names replicas, or for one where it names no number.
  void Create(std::string table, idl::TableOptions options, std::vector<std::string> split_points, Duration patience,
              Done done);
  void Alter(std::string table, idl::TableOptions options, Duration patience, Done done);
  void Drop(std::string table, Duration patience, Done done);
  // Makes the servers of the table, or one of them, compact its file or only report progress; one answer for each, in
  // order of name. NO_SUCH_TABLE; NOT_FOUND: the server holds nothing of it.
  struct Compaction {
    std::string table;
    ServerName server;  // empty: all
    bool start = false;
    int32_t limit_s = 0;
  };
  void Compact(const Compaction& wanted, coordination::Callback<Result<std::vector<idl::Compaction>>> done);

  // Tells the servers of the table's schema.
  void PushSchemaOf(const std::string& table);

 private:
  void StartCreate(const std::string& table);
  void StartDrop(const std::string& table);

  const TermParts parts_;
};

}  // namespace ebla::master
