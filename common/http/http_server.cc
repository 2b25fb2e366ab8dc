#include "common/http/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "common/http/metric_families.h"
#include "common/process/bounded_flag.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/socket.h"

namespace ebla::http {
namespace {

constexpr int kRequestBytesMax = 64 * 1024;
constexpr size_t kNotedBytesMax = 300;                          // of a request, in the log
constexpr Duration kLookAgain = std::chrono::milliseconds(50);  // whether a connection has ended

Page Text(int status, std::string body) { return {.status = status, .body = std::move(body) + "\n"}; }

rpc::Endpoint PeerAddress(evhttp_request* request) {
  char* host = nullptr;
  ev_uint16_t port = 0;
  evhttp_connection_get_peer(evhttp_request_get_connection(request), &host, &port);
  return {host == nullptr ? "" : host, port};
}

bool FromLoopback(evhttp_request* request) {
  const std::string peer = PeerAddress(request).host;
  return peer.starts_with("127.") || peer == "::1";
}

// Browsers send an Origin with each POST, so this request is from a web page, and not from an operator.
bool FromAWebPage(evhttp_request* request) {
  return evhttp_find_header(evhttp_request_get_input_headers(request), "Origin") != nullptr;
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// The content of a page that every process has, for the list of links.
std::string_view Content(const std::string& path) {
  if (path == "/metrics") return "all figures, as Prometheus reads them";
  if (path == "/healthz") return "whether the process answers";
  if (path == "/readyz") return "whether it can do its work, or the reason why not";
  if (path == "/flags") return "the flags and their values";
  return "";
}

// Counts and bytes as whole numbers, without an exponent; fractions with three digits.
std::string Figure(double value) {
  char text[400];
  const bool whole = value == std::floor(value) || !std::isfinite(value);
  snprintf(text, sizeof text, whole ? "%.0f" : "%.3f", value);
  return text;
}

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(HttpOptions options) : options_(std::move(options)) {
    pages_["/healthz"] = [](const std::string&) { return Text(200, "ok"); };
    pages_["/readyz"] = [this](const std::string&) { return Readiness(/*why=*/true); };
    pages_["/metrics"] = [this](const std::string&) { return Metrics(); };
    pages_["/"] = [this](const std::string&) { return Overview(); };
    pages_["/flags"] = [](const std::string&) { return ListFlags(); };
  }
  ~Impl() { Stop(); }

  void AddPage(std::string path, std::function<Page(const std::string&)> page) {
    pages_[std::move(path)] = std::move(page);
  }

  Status Start() {
    EBLA_ASSIGN(const int fd, rpc::Listen(options_.listen));
    EBLA_ASSIGN(address_, rpc::LocalAddress(fd));
    // The loop has no thread yet: its base may be touched from here.
    http_ = evhttp_new(loop_.base());
    CHECK(http_ != nullptr);
    evhttp_set_allowed_methods(http_, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
    evhttp_set_max_headers_size(http_, kRequestBytesMax);
    evhttp_set_max_body_size(http_, kRequestBytesMax);
    evhttp_set_timeout(http_, static_cast<int>(options_.timeout.count()));
    evhttp_set_bevcb(http_, &MakeConnection, this);
    evhttp_set_gencb(
        http_, [](evhttp_request* request, void* self) { static_cast<Impl*>(self)->Serve(request); }, this);
    evhttp_bound_socket* const bound = evhttp_accept_socket_with_handle(http_, fd);
    if (bound == nullptr) {
      close(fd);
      return Error(Code::kUnavailable, "cannot serve HTTP on " + address_.ToString());
    }
    listener_ = evhttp_bound_socket_get_listener(bound);
    own_sockets_ = Sockets();
    loop_.Start();
    return Status::Ok();
  }

  void Stop() {
    loop_.Stop();
    if (http_ != nullptr) evhttp_free(std::exchange(http_, nullptr));
  }

  const rpc::Endpoint& address() const { return address_; }

 private:
  // The events that the loop waits for. libevent 2.1 does not report the end of an evhttp connection, but these events
  // show it. They are few, so a look through them at each connection costs little.
  std::set<int> Sockets() {
    std::set<int> sockets;
    event_base_foreach_event(
        loop_.base(),
        [](const event_base*, const event* one, void* into) {
          if (event_get_fd(one) >= 0) static_cast<std::set<int>*>(into)->insert(event_get_fd(one));
          return 0;
        },
        &sockets);
    return sockets;
  }
  // Includes connections in their handshake.
  bool IsFull(size_t more) {
    const auto is_own = [this](int fd) { return own_sockets_.contains(fd); };
    const std::set<int> sockets = Sockets();
    return sockets.size() - static_cast<size_t>(std::ranges::count_if(sockets, is_own)) + more >=
           options_.connections_max;
  }
  void AcceptOnceOneHasEnded() {
    if (!IsFull(0)) {
      evconnlistener_enable(listener_);
      return;
    }
    loop_.After(kLookAgain, [this] { AcceptOnceOneHasEnded(); });
  }

  // For one that was accepted, and that the loop does not wait for yet. Null: evhttp makes it.
  static bufferevent* MakeConnection(event_base* base, void* self) {
    Impl& server = *static_cast<Impl*>(self);
    if (server.IsFull(1)) {
      LOG_EVERY_T(WARNING, 60) << "there are " << server.options_.connections_max
                               << " connections to the HTTP port: further ones wait until one ends";
      evconnlistener_disable(server.listener_);
      server.loop_.After(kLookAgain, [&server] { server.AcceptOnceOneHasEnded(); });
    }
    return server.options_.tls == nullptr ? nullptr : MakeTlsConnection(base, *server.options_.tls);
  }

  static bufferevent* MakeTlsConnection(event_base* base, security::TlsCredentials& tls) {
    bufferevent* made = bufferevent_openssl_socket_new(base, -1, tls.AcceptAnonymous(), BUFFEREVENT_SSL_ACCEPTING,
                                                       BEV_OPT_CLOSE_ON_FREE);
    CHECK(made != nullptr);  // without one, libevent would go on in the clear
    bufferevent_openssl_set_allow_dirty_shutdown(made, 1);
    return made;
  }

  // Only with TLS.
  static std::optional<security::Identity> PeerOf(evhttp_request* request) {
    bufferevent* connection = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    return security::TlsCredentials::PeerOf(bufferevent_openssl_get_ssl(connection));
  }

  void Serve(evhttp_request* request) {
    const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
    const char* path = evhttp_uri_get_path(uri);
    const char* query = evhttp_uri_get_query(uri);
    const Page page = Answer(request, path == nullptr ? "" : path, query == nullptr ? "" : query);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", page.content_type.c_str());
    evbuffer* body = evbuffer_new();
    evbuffer_add(body, page.body.data(), page.body.size());
    evhttp_send_reply(request, page.status, nullptr, body);
    evbuffer_free(body);
  }

  Page Answer(evhttp_request* request, const std::string& path, const std::string& query) {
    const bool post = evhttp_request_get_command(request) == EVHTTP_REQ_POST;
    security::Identity who;  // trusted
    bool may_change = options_.tls == nullptr && FromLoopback(request);
    if (options_.tls != nullptr) {
      const auto peer = PeerOf(request);
      if (!peer) return AnswerAnybody(post, path);
      who = *peer;
      may_change = who.may(security::Identity::Kind::kOperator);
    }
    if (post && path == "/flags") {
      const Page answer = may_change && !FromAWebPage(request) ? SetFlag(query) : MayNotSetFlags(request);
      Note(request, who, query, answer);
      return answer;
    }
    if (post) return Text(405, "only /flags takes a POST");
    const auto page = pages_.find(path);
    if (page != pages_.end()) return page->second(query);
    std::string known;
    for (const auto& [name, unused] : pages_) known += " " + name;
    return Text(404, "no such page; there are:" + known);
  }

  // A client without a certificate, such as a probe.
  Page AnswerAnybody(bool post, const std::string& path) {
    if (!post && path == "/healthz") return pages_.at(path)("");
    if (!post && path == "/readyz") return Readiness(/*why=*/false);
    return Text(403, "show a certificate of the cluster's authority: without one there are /healthz and /readyz alone");
  }

  Page Readiness(bool why) const {
    const Status ready = options_.ready();
    if (!why) return ready.ok() ? Text(200, "ready") : Text(503, "not ready; a certificate of the cluster shows why");
    if (!ready.ok()) return Text(503, "not ready: " + ready.message());
    const std::string degraded = options_.degraded();
    return Text(200, degraded.empty() ? "ready" : "ready, degraded: " + degraded);
  }

  // Figures without labels alone: a reader sees at once what /metrics has in hundreds of lines.
  Page Overview() const {
    const Status ready = options_.ready();
    std::string body = "<!doctype html><title>" + EscapeHtml(options_.title) + "</title><h1>" +
                       EscapeHtml(options_.title) + "</h1><p>" +
                       (ready.ok() ? "Ready." : "Not ready: " + EscapeHtml(ready.message())) + "<p>";
    body += "<ul>";
    for (const auto& [path, unused] : pages_) {
      if (path != "/") body += "<li><a href=\"" + path + "\">" + path + "</a> " + std::string(Content(path)) + "\n";
    }
    body += "</ul>\n<table>\n";
    for (const auto& family :
         options_.metrics == nullptr ? std::vector<prometheus::MetricFamily>{} : options_.metrics->Collect()) {
      const bool counter = family.type == prometheus::MetricType::Counter;
      if (!counter && family.type != prometheus::MetricType::Gauge) continue;
      if (family.metric.size() != 1 || !family.metric[0].label.empty()) continue;
      const auto& metric = family.metric[0];
      body += "<tr><td>" + EscapeHtml(family.name) + "<td align=right>" +
              Figure(counter ? metric.counter.value : metric.gauge.value) + "<td>" + EscapeHtml(family.help) + "\n";
    }
    return {.content_type = "text/html; charset=utf-8", .body = body + "</table>\n"};
  }

  Page Metrics() const {
    if (options_.metrics == nullptr) return Text(200, "");
    std::vector<prometheus::MetricFamily> families = options_.metrics->Collect();
    MetricFamilies own;
    own.Gauge("certificate_not_after_seconds",
              "When the certificate that this process shows to others ends, as Unix time; 0 without certificates.",
              options_.tls == nullptr ? 0 : options_.tls->NotAfter().value_or(0));
    std::ranges::move(own.Take(), std::back_inserter(families));
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = prometheus::TextSerializer().Serialize(families)};
  }

  static Page ListFlags() {
    std::vector<gflags::CommandLineFlagInfo> flags;
    gflags::GetAllFlags(&flags);
    std::string body;
    for (const auto& flag : flags) {
      body += "--" + flag.name + "=" + flag.current_value + (flag.is_default ? "\n" : "  (not the default)\n");
    }
    return {.body = body};
  }

  Page MayNotSetFlags(evhttp_request* request) const {
    if (FromAWebPage(request)) return Text(403, "flags cannot be changed from a web page: the request has an Origin");
    return Text(403, options_.tls == nullptr ? "flags can be changed from this machine only"
                                             : "flags can be changed with an operator's certificate only");
  }

  // A flag was changed, or was not.
  void Note(evhttp_request* request, const security::Identity& who, const std::string& query, const Page& answer) {
    const std::string from = PeerAddress(request).ToString(), asked = query.substr(0, kNotedBytesMax),
                      said = answer.body.substr(0, std::min(answer.body.find('\n'), kNotedBytesMax));
    const std::string name = who.name.empty() ? "somebody" : who.name;
    if (answer.status == 200) LOG(WARNING) << name << " at " << from << " has set the flag " << said;
    if (answer.status == 403) {
      LOG_EVERY_T(WARNING, 1) << name << " at " << from << " may not set " << asked << ": " << said;
    }
    if (options_.audit == nullptr) return;
    const Code code = answer.status == 200   ? Code::kOk
                      : answer.status == 403 ? Code::kPermissionDenied
                                             : Code::kInvalidArgument;
    options_.audit->Record({who, from, "setFlag", asked, code == Code::kOk ? Status() : Status(code, said)});
  }

  Page SetFlag(const std::string& query) const {
    evkeyvalq pairs{};
    if (evhttp_parse_query_str(query.c_str(), &pairs) != 0 || pairs.tqh_first == nullptr) {
      return Text(400, "write POST /flags?name=value");
    }
    const std::string name = pairs.tqh_first->key, value = pairs.tqh_first->value;
    evhttp_clear_headers(&pairs);
    if (std::ranges::find(options_.settable_flags, name) == options_.settable_flags.end()) {
      std::string known;
      for (const std::string& flag : options_.settable_flags) known += " " + flag;
      return Text(400, "flag " + name + " cannot be changed while the process runs; these can:" + known);
    }
    gflags::CommandLineFlagInfo flag;
    if (!gflags::GetCommandLineFlagInfo(name.c_str(), &flag)) return Text(400, "there is no flag " + name);
    if (const Status taken = process::CheckFlagValue(flag, value); !taken.ok()) return Text(400, taken.message());
    if (gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty()) {
      return Text(400, "flag " + name + " does not take the value \"" + value + "\"");
    }
    return Text(200, name + "=" + value);
  }

  const HttpOptions options_;
  std::map<std::string, std::function<Page(const std::string&)>> pages_;
  rpc::Endpoint address_;
  rpc::EventLoop loop_{"http"};
  evhttp* http_ = nullptr;
  evconnlistener* listener_ = nullptr;  // of http_
  std::set<int> own_sockets_;           // what the loop waits for without connections
};

HttpServer::HttpServer(HttpOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpServer::~HttpServer() = default;

void HttpServer::AddPage(std::string path, std::function<Page(const std::string&)> page) {
  impl_->AddPage(std::move(path), std::move(page));
}
Status HttpServer::Start() { return impl_->Start(); }
void HttpServer::Stop() { impl_->Stop(); }
const rpc::Endpoint& HttpServer::address() const { return impl_->address(); }

}  // namespace ebla::http
