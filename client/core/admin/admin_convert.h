// client/core/admin/admin_convert.h
// Between the master's Thrift structs and client/include/ebla/admin.h.
// Threads: functions.
#pragma once

#include <string>
#include <vector>

#include "ebla/admin.h"
#include "idl/master_types.h"

namespace ebla::client {

std::string AddressOf(const idl::Endpoint& endpoint);  // host:port; empty: not known

idl::TableOptions ToIdl(const TableOptions& options);
TableOptions FromIdl(const idl::TableOptions& options);
TableInfo FromIdl(const idl::TableSummary& summary);
TabletSummary FromIdl(const idl::TabletSummary& summary);
ServerSummary FromIdl(const idl::ServerSummary& summary);
ClusterAdoption FromIdl(const idl::AdoptReply& reply);
TabletRecovery FromIdl(const idl::RecoverTabletReply& reply);
PlannerState FromIdl(idl::BalanceReply reply);
ClusterInfo FromIdl(const idl::ClusterInfoReply& reply);
Procedures FromIdl(const idl::ListProceduresReply& reply);
std::vector<CompactionInfo> FromIdl(const idl::CompactTableReply& reply);
TabletPlace FromIdl(const idl::TabletLocation& location);

}  // namespace ebla::client
