// common/rpc/services.h
// The methods of each service, listed once: the dispatcher registers them from here. Internal to common/rpc.
// Threads: constants.
#pragma once

#include <tuple>

#include "idl/ControlService.h"
#include "idl/MasterService.h"
#include "idl/ReplicationService.h"
#include "idl/TabletService.h"

namespace ebla::rpc {

// A method's name on the wire and the generated interface's member.
template <class Service, class Request, class Reply>
struct ServiceMethod {
  const char* name;
  void (Service::*call)(std::function<void(const Reply&)>, const Request&);
};
template <class Service, class Request, class Reply>
ServiceMethod(const char*, void (Service::*)(std::function<void(const Reply&)>, const Request&))
    -> ServiceMethod<Service, Request, Reply>;

template <class Service>
struct ServiceMethods;

template <>
struct ServiceMethods<idl::TabletServiceCobSvIf> {
  using S = idl::TabletServiceCobSvIf;
  static constexpr auto kAll =
      std::tuple{ServiceMethod{"get", &S::get},           ServiceMethod{"multiGet", &S::multiGet},
                 ServiceMethod{"write", &S::write},       ServiceMethod{"scan", &S::scan},
                 ServiceMethod{"listKept", &S::listKept}, ServiceMethod{"forgetKept", &S::forgetKept},
                 ServiceMethod{"checksum", &S::checksum}, ServiceMethod{"echo", &S::echo}};
};

template <>
struct ServiceMethods<idl::MasterServiceCobSvIf> {
  using S = idl::MasterServiceCobSvIf;
  static constexpr auto kAll = std::tuple{ServiceMethod{"createTable", &S::createTable},
                                          ServiceMethod{"alterTable", &S::alterTable},
                                          ServiceMethod{"dropTable", &S::dropTable},
                                          ServiceMethod{"listTables", &S::listTables},
                                          ServiceMethod{"describeTable", &S::describeTable},
                                          ServiceMethod{"locate", &S::locate},
                                          ServiceMethod{"heartbeat", &S::heartbeat},
                                          ServiceMethod{"listServers", &S::listServers},
                                          ServiceMethod{"listTablets", &S::listTablets},
                                          ServiceMethod{"transferTablet", &S::transferTablet},
                                          ServiceMethod{"recoverTablet", &S::recoverTablet},
                                          ServiceMethod{"removeServer", &S::removeServer},
                                          ServiceMethod{"adopt", &S::adopt},
                                          ServiceMethod{"splitTablet", &S::splitTablet},
                                          ServiceMethod{"mergeTablets", &S::mergeTablets},
                                          ServiceMethod{"moveTablet", &S::moveTablet},
                                          ServiceMethod{"setServer", &S::setServer},
                                          ServiceMethod{"balance", &S::balance},
                                          ServiceMethod{"clusterInfo", &S::clusterInfo},
                                          ServiceMethod{"listProcedures", &S::listProcedures},
                                          ServiceMethod{"cancelProcedure", &S::cancelProcedure},
                                          ServiceMethod{"compactTable", &S::compactTable}};
};

template <>
struct ServiceMethods<idl::ControlServiceCobSvIf> {
  using S = idl::ControlServiceCobSvIf;
  static constexpr auto kAll = std::tuple{ServiceMethod{"configure", &S::configure},
                                          ServiceMethod{"fence", &S::fence},
                                          ServiceMethod{"drop", &S::drop},
                                          ServiceMethod{"transfer", &S::transfer},
                                          ServiceMethod{"split", &S::split},
                                          ServiceMethod{"freeze", &S::freeze},
                                          ServiceMethod{"alter", &S::alter},
                                          ServiceMethod{"dropTableData", &S::dropTableData},
                                          ServiceMethod{"compactTableData", &S::compactTableData}};
};

template <>
struct ServiceMethods<idl::ReplicationServiceCobSvIf> {
  using S = idl::ReplicationServiceCobSvIf;
  static constexpr auto kAll =
      std::tuple{ServiceMethod{"append", &S::append}, ServiceMethod{"peerHeartbeat", &S::peerHeartbeat},
                 ServiceMethod{"copy", &S::copy}};
};

}  // namespace ebla::rpc
