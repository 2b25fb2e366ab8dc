// Every verb of the table with --json: done, forbidden by the cluster, without masters and mistyped. Whatever happens,
// each line of the output is one JSON value, and the exit code is the one that help names.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

constexpr int kDone = 0, kNo = 1, kUsage = 2, kAway = 3, kOther = 5;

// How one verb is typed so that it succeeds, and what becomes of the same line elsewhere.
struct Typed {
  std::string verb, arguments;
  int forbidden = kOther;      // the exit code where every master answers PERMISSION_DENIED
  int without_master = kAway;  // where no master listens
  bool faked = true;           // false: the fake cluster exports no records, so that no backup can be made
  int done = kDone;            // the exit code where the cluster does it
};

class JsonVerbsTest : public ShellTest {
 protected:
  JsonVerbsTest() {
    MakeTable();
    servers_.cluster().tables()->Add("users", {"m"});
    for (const char* key : {"k", "n1"}) servers_.cluster().tables()->Put("carts", key, "1");
    servers_.cluster().masters()->obeys = true;
    idl::ProcedureSummary move;
    move.id = "move-7";
    move.kind = "move";
    move.cancellable = true;
    servers_.cluster().masters()->procedures = {move};
    File("records.jsonl", R"({"key": "a", "value": "b"})"
                          "\n");
    std::filesystem::permissions(File("password", "correct horse battery staple\n"),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::create_directory(directory_ + "/backups");
  }

  // Verbs that keep to this machine's files need no master.
  static Typed Local(const std::string& verb, const std::string& arguments, int done = kDone) {
    return {verb, arguments, kDone, kDone, true, done};
  }

  // In an order in which each succeeds: what one makes, a later one may use.
  std::vector<Typed> All() const {
    std::vector<Typed> all = OfTables();
    for (std::vector<Typed> more : {OfTheCluster(), OfUsers(), OfFiles()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::vector<Typed> OfTables() const {
    return {
        Local("version", ""),
        Local("completion", "bash"),
        Local("use", ""),
        {"token", "", kDone},
        {"put", "carts k 1"},
        {"get", "carts k"},
        {"mget", "carts k nobody n1", kOther, kAway, true, kNo},  // a key has no record
        {"incr", "carts k"},
        {"scan", "carts"},
        {"delete", "carts n1"},
        {"load", "carts " + directory_ + "/records.jsonl"},
        {"dump", "carts " + directory_ + "/dump.jsonl"},
        {"table create", "made"},
        {"table list", ""},
        {"table describe", "carts"},
        {"table alter", "carts --default-ttl 1h"},
        {"table presplit", "carts --at f"},
        {"table compact", "carts"},
        {"table merge-small", "carts --dry-run"},
        {"table drop", "made --yes"},
        {"tablet list", ""},
        {"tablet stats", "carts k"},
        {"tablet transfer", "carts k --to ts-2"},
        {"tablet move", "carts k --from ts-1 --to ts-2"},
        {"tablet split", "users --at p"},
        {"tablet merge", "users --at p"},
        {"tablet recover", "17 --yes"},
        {"locate", "carts k"},
        {"conflict list", "carts"},
        {"conflict export", "carts " + directory_ + "/conflicts.jsonl"},
        {"conflict apply", "carts --all"},
        {"conflict forget", "carts --all --yes"},
    };
  }

  static std::vector<Typed> OfTheCluster() {
    return {
        {"server list", ""},
        {"server drain", "ts-1"},
        {"server undrain", "ts-1"},
        {"server maintenance", "ts-1"},
        {"server resume", "ts-1"},
        {"server clock", "ts-1"},
        {"server clock", "ts-1 --accept"},
        {"server remove", "ts-1"},
        {"cluster info", "", kDone},
        {"cluster version", ""},
        {"cluster watch", "--once"},
        {"cluster adopt", ""},
        {"balance on", ""},
        {"balance off", ""},
        {"balance now", ""},
        {"balance explain", ""},
        {"procedure list", ""},
        {"procedure show", "move-7"},
        {"procedure cancel", "move-7"},
        {"health", "", kAway},
        {"check", "--catalog-only"},
        {"hot", ""},
        {"scrub", ""},
    };
  }

  std::vector<Typed> OfUsers() const {
    const std::string password = " --new-password-file " + directory_ + "/password";
    return {
        {"user create", "ada" + password},
        {"user password", "ada" + password},
        {"user list", ""},
        {"role create", "buyers"},
        {"role give", "buyers ada"},
        {"role take", "buyers ada"},
        {"role drop", "buyers"},
        {"grant", "read,write ada --table carts --prefix eu/"},
        {"revoke", "operator ada"},
        {"user drop", "ada"},
        {"limit user", "ada --operations 1000"},
        {"limit table", "carts --none"},
        {"limit list", ""},
    };
  }

  std::vector<Typed> OfFiles() const {
    const std::string certs = directory_ + "/certs", user = directory_ + "/ada";
    const std::string at = " --dir " + directory_ + "/backups";
    return {
        Local("cert create-ca", "--dir " + certs),
        Local("cert create-server", "ts-1 --hosts localhost --ca " + certs),
        Local("cert create-client", "ada --ca " + certs + " --dir " + user),
        Local("cert revoke", user + "/client.crt --ca " + certs),
        {"backup create", "monday" + at, kOther, kAway, false},
        Local("backup list", at),
        Local("backup verify", "monday" + at, kNo),
        Local("backup moments", at),
        {"backup restore", "monday --settings" + at, kNo, kAway, false},
        {"backup schedule", "--once" + at, kOther, kAway, false},
        Local("backup delete", "monday --yes" + at, kNo),
    };
  }

  // The exit code of a line with --json, whose output is JSON: one value a line, and none with an error is a success.
  int RunJson(const std::string& line) {
    out_.str("");
    err_.str("");
    const int code = shell_.RunLine("--json " + line);
    std::istringstream output(out_.str());
    bool failed = false;
    for (std::string one; std::getline(output, one);) {
      const nlohmann::json value = nlohmann::json::parse(one, nullptr, false);
      EXPECT_FALSE(value.is_discarded()) << line << "\n" << one;
      failed = value.is_object() && value.contains("error");
    }
    EXPECT_FALSE(out_.str().empty()) << line << " prints nothing";
    EXPECT_FALSE(failed && code == 0) << line << "\n" << out_.str();
    return code;
  }
};

TEST_F(JsonVerbsTest, EveryVerbIsTyped) {
  // `backup archive` and `cluster watch` without --once run until a signal stops them.
  std::set<std::string> typed = {"backup archive"}, known;
  for (const Typed& one : All()) typed.insert(one.verb);
  Verbs verbs;
  AddAllVerbs(verbs);
  for (const Verb& verb : verbs.all()) known.insert(verb.words());
  EXPECT_EQ(typed, known);
}

TEST_F(JsonVerbsTest, AVerbThatSucceedsPrintsJson) {
  for (const Typed& one : All()) {
    if (!one.faked) continue;
    EXPECT_EQ(RunJson(one.verb + " " + one.arguments), one.done) << one.verb << "\n" << out_.str() << err_.str();
  }
}

TEST_F(JsonVerbsTest, AVerbThatTheClusterForbidsPrintsJson) {
  servers_.cluster().masters()->forbids = true;
  for (const Typed& one : All()) {
    if (one.without_master == kDone) continue;
    EXPECT_EQ(RunJson("--deadline 1s " + one.verb + " " + one.arguments), one.forbidden) << one.verb << "\n"
                                                                                         << out_.str() << err_.str();
  }
}

TEST_F(JsonVerbsTest, AVerbWithoutMastersPrintsJson) {
  for (const Typed& one : All()) {
    if (one.without_master == kDone) continue;
    EXPECT_EQ(RunJson("--masters 127.0.0.1:1 --deadline 100ms " + one.verb + " " + one.arguments), one.without_master)
        << one.verb << "\n"
        << out_.str() << err_.str();
  }
}

TEST_F(JsonVerbsTest, AMistypedVerbPrintsJson) {
  Verbs verbs;
  AddAllVerbs(verbs);
  for (const Verb& verb : verbs.all()) EXPECT_EQ(RunJson(verb.words() + " --no-such-option"), kUsage) << verb.words();
}

}  // namespace
}  // namespace ebla::shell
