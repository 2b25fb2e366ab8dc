// Verbs that make certificates, on this machine's files: cert create-ca, create-server, create-client, revoke.
#include "common/base/split_text.h"
#include "common/security/certificates.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using security::CertificateOptions;
using security::Identity;

constexpr int kAuthorityDays = 3650;
constexpr int kDaysMax = 36'500;

struct CertificateArguments {
  CertificateOptions certificate;
  std::string authority = "certs";
  std::string directory;
  std::string hosts;
  bool is_operator = false;
  bool is_master = false;
  bool is_gateway = false;
};

Status CreateAuthority(Context& context, const std::string& directory, int days) {
  EBLA_TRY(security::CreateAuthority(directory, days));
  context.out.Ok("the authority is in " + directory + ": copy its ca.key to no server", {{"directory", directory}});
  return {};
}

Status Create(Context& context, CertificateArguments& arguments) {
  const std::string directory = arguments.directory.empty() ? arguments.authority : arguments.directory;
  EBLA_TRY(security::CreateCertificate(arguments.authority, directory, arguments.certificate));
  const bool server = Identity{arguments.certificate.kind, arguments.certificate.name}.listens();
  const std::string flag = arguments.is_gateway ? "--listen_tls_dir=" : server ? "--tls_dir=" : "EBLA_TLS_DIR=";
  const std::string files = server ? "server.crt and server.key" : "client.crt and client.key";
  context.out.Ok(std::string(UnitOf(arguments.certificate.kind)) + " " + arguments.certificate.name + ": " + files +
                     " are in " + directory + " (" + flag + directory + ")",
                 {{"directory", directory}, {"name", arguments.certificate.name}});
  return {};
}

Verb& AddCommon(Verb& verb, const std::shared_ptr<CertificateArguments>& arguments) {
  return verb.Argument("NAME", TakeText(arguments->certificate.name))
      .Option("--ca", "DIRECTORY", TakeText(arguments->authority), "Directory with ca.crt and ca.key (certs)")
      .Option("--dir", "DIRECTORY", TakeText(arguments->directory),
              "Directory for the certificate (the authority's directory)")
      .Option("--days", "NUMBER", TakeWhole(arguments->certificate.days, 1, kDaysMax), "Days until it expires (365)");
}

}  // namespace

void AddCertVerbs(Verbs& verbs) {
  struct Authority {
    std::string directory = "certs";
    int days = kAuthorityDays;
  };
  auto authority = std::make_shared<Authority>();
  verbs
      .Add("cert create-ca", "Creates an authority for a cluster's certificates", "cert create-ca --dir certs",
           [authority](Context& context) { return CreateAuthority(context, authority->directory, authority->days); })
      .Option("--dir", "DIRECTORY", TakeText(authority->directory), "Directory for ca.crt and ca.key (certs)")
      .Option("--days", "NUMBER", TakeWhole(authority->days, 1, kDaysMax), "Days until it expires (3650)");

  auto server = std::make_shared<CertificateArguments>();
  server->certificate.kind = Identity::Kind::kServer;
  AddCommon(verbs.Add("cert create-server", "Creates the certificate of a server",
                      "cert create-server ts-1 --hosts 10.0.0.5,ts1.example --dir ts-1",
                      [server](Context& context) -> Status {
                        if (server->is_master && server->is_gateway)
                          return {Code::kInvalidArgument, "a master and a gateway have a certificate each"};
                        if (server->is_gateway) server->certificate.kind = Identity::Kind::kGateway;
                        if (server->is_master) server->certificate.kind = Identity::Kind::kMaster;
                        server->certificate.hosts = SplitText(server->hosts, ',', EmptyParts::kKeep);
                        return Create(context, *server);
                      }),
            server)
      .Option("--hosts", "LIST", TakeText(server->hosts),
              "The host names and addresses at which clients and servers reach it")
      .Flag("--master", server->is_master, "Certificate of a master: tablet servers obey only masters")
      .Flag("--gateway", server->is_gateway,
            "Certificate of a gateway, for its clients only: the cluster grants it nothing");

  auto user = std::make_shared<CertificateArguments>();
  AddCommon(verbs.Add("cert create-client", "Creates the certificate of a user",
                      "cert create-client ada --operator --dir ada",
                      [user](Context& context) {
                        if (user->is_operator) user->certificate.kind = Identity::Kind::kOperator;
                        return Create(context, *user);
                      }),
            user)
      .Flag("--operator", user->is_operator, "The user may also change tables, servers and the cluster");

  struct Revocation {
    std::string certificate, authority = "certs";
  };
  auto revocation = std::make_shared<Revocation>();
  verbs
      .Add("cert revoke", "Adds a certificate to the authority's ca.crl, for every server's --tls_dir",
           "cert revoke ada/client.crt",
           [revocation](Context& context) -> Status {
             EBLA_TRY(security::Revoke(revocation->authority, revocation->certificate));
             context.out.Ok("revoked: copy " + revocation->authority + "/ca.crl to every server's --tls_dir",
                            {{"list", revocation->authority + "/ca.crl"}});
             return {};
           })
      .Argument("FILE", TakeText(revocation->certificate))
      .Option("--ca", "DIRECTORY", TakeText(revocation->authority), "Directory with ca.crt and ca.key (certs)");
}

}  // namespace ebla::shell
