// common/rpc/services.h
// The methods of each service as the IDL lists them: the dispatcher registers them from here. Internal to common/rpc.
// Threads: constants.
#pragma once

#include <tuple>

#include "idl/ControlService.h"
#include "idl/MasterService.h"
#include "idl/ReplicationService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

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

#define EBLA_SERVICE_METHOD(name, Request, Reply) ServiceMethod{#name, &S::name},
template <>
struct ServiceMethods<idl::TabletServiceCobSvIf> {
  using S = idl::TabletServiceCobSvIf;
  static constexpr auto kAll = std::tuple{EBLA_TABLET_METHODS(EBLA_SERVICE_METHOD)};
};
template <>
struct ServiceMethods<idl::MasterServiceCobSvIf> {
  using S = idl::MasterServiceCobSvIf;
  static constexpr auto kAll = std::tuple{EBLA_MASTER_METHODS(EBLA_SERVICE_METHOD)};
};
template <>
struct ServiceMethods<idl::ControlServiceCobSvIf> {
  using S = idl::ControlServiceCobSvIf;
  static constexpr auto kAll = std::tuple{EBLA_CONTROL_METHODS(EBLA_SERVICE_METHOD)};
};
template <>
struct ServiceMethods<idl::ReplicationServiceCobSvIf> {
  using S = idl::ReplicationServiceCobSvIf;
  static constexpr auto kAll = std::tuple{EBLA_REPLICATION_METHODS(EBLA_SERVICE_METHOD)};
};
#undef EBLA_SERVICE_METHOD

}  // namespace ebla::rpc
