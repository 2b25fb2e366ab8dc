// docs/faults.md lists every method of the IDL with its permitted callers. The test compares it with the code, so that
// no new method is forgotten there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>

#include "common/rpc/services.h"

namespace ebla::rpc {
namespace {

using Kind = security::Identity::Kind;
using Callers = std::map<std::string, std::string>;  // of each method

template <class Service>
void AddMethods(Callers& callers) {
  const Access access = ServiceMethods<Service>::RequiredAccess();
  std::apply(
      [&](const auto&... method) {
        ((callers[method.name] =
              std::string(UnitOf(access.Of(method.name))) + (access.IsForServersToo(method.name) ? ", server" : "")),
         ...);
      },
      ServiceMethods<Service>::kAll);
}

TEST(Access, IsWhatThePageOfFaultsSays) {
  Callers in_code, on_page;
  AddMethods<idl::LoginServiceCobSvIf>(in_code);
  AddMethods<idl::TabletServiceCobSvIf>(in_code);
  AddMethods<idl::MasterServiceCobSvIf>(in_code);
  AddMethods<idl::ControlServiceCobSvIf>(in_code);
  AddMethods<idl::ReplicationServiceCobSvIf>(in_code);
  std::ifstream page(EBLA_FAULTS_PAGE);
  const std::regex row(R"(\| `(\w+)` \| \w+Service \| `?(\w+(?:, \w+)?)`? \|)");
  for (std::string line; std::getline(page, line);) {
    if (std::smatch match; std::regex_match(line, match, row)) on_page[match[1]] = match[2];
  }
  EXPECT_GT(in_code.size(), 40u);
  EXPECT_THAT(on_page, ::testing::ContainerEq(in_code));
}

TEST(Access, EachKindOfCallerMayDoItsOwnAndWhatUsersDo) {
  for (const Kind kind : {Kind::kUser, Kind::kOperator, Kind::kServer, Kind::kMaster}) {
    const security::Identity caller{kind, "x"};
    for (const Kind what : {Kind::kUser, Kind::kOperator, Kind::kServer, Kind::kMaster})
      EXPECT_EQ(caller.may(what), what == kind || what == Kind::kUser) << UnitOf(kind) << " " << UnitOf(what);
  }
  for (const Kind what : {Kind::kAnonymous, Kind::kUser, Kind::kOperator, Kind::kServer, Kind::kMaster, Kind::kGateway})
    EXPECT_FALSE((security::Identity{Kind::kGateway, "x"}.may(what))) << UnitOf(what);
  EXPECT_TRUE((security::Identity{Kind::kServer, "ts-1"}.MaySpeakFor("ts-1")));
  EXPECT_FALSE((security::Identity{Kind::kServer, "ts-1"}.MaySpeakFor("ts-2")));
  EXPECT_FALSE((security::Identity{Kind::kMaster, "ts-1"}.MaySpeakFor("ts-1")));
  EXPECT_TRUE((security::Identity{Kind::kServer, "*"}.MaySpeakFor("ts-2")));
}

TEST(Audit, LookingIsNoChange) {
  idl::BalanceRequest balance;
  EXPECT_TRUE(OnlyLooks(balance));
  balance.__set_view(true);
  EXPECT_TRUE(OnlyLooks(balance));
  balance.__set_enabled(false);
  EXPECT_FALSE(OnlyLooks(balance));
  EXPECT_EQ(SubjectOf(balance), "enabled=false");
  idl::BalanceRequest now;
  now.__set_now(true);
  EXPECT_FALSE(OnlyLooks(now));
  EXPECT_EQ(SubjectOf(now), "now=true");
  idl::RecoverTabletRequest recover;
  EXPECT_TRUE(OnlyLooks(recover));
  recover.__set_acceptDataLoss(true);
  EXPECT_FALSE(OnlyLooks(recover));
  idl::AdoptRequest adopt;
  EXPECT_TRUE(OnlyLooks(adopt));
  adopt.__set_confirm(true);
  EXPECT_FALSE(OnlyLooks(adopt));
  EXPECT_FALSE(OnlyLooks(idl::DropTableByNameRequest()));
}

TEST(Audit, WhatIsChangedStandsInTheLine) {
  idl::SetServerRequest server;
  server.__set_name("ts-1");
  server.__set_draining(true);
  EXPECT_EQ(SubjectOf(server), "name=ts-1 draining=true");
  idl::AccessChange change;
  change.__set_kind(idl::AccessChangeKind::SET_LIMITS);
  change.__set_name("ada");
  idl::Limits limits;
  limits.__set_operationsPerSecond(1000);
  limits.__set_inFlight(7);
  change.__set_limits(limits);
  idl::ChangeAccessRequest request;
  request.__set_changes({change});
  EXPECT_EQ(SubjectOf(request), "change=SET_LIMITS name=ada operations=1000 bytes=0 connections=0 inFlight=7");
}

}  // namespace
}  // namespace ebla::rpc
