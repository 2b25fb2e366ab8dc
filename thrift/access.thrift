// thrift/access.thrift: users, what they may do, and how a client with a name and a password logs in. Served by masters
// and tablet servers; what the catalog keeps of it is AccessNode.
include "types.thrift"
namespace cpp ebla.idl
namespace go ebla.access
namespace java ebla.idl
namespace js ebla
namespace netstd Ebla.Idl
namespace py ebla.access
namespace rs ebla

// ADMIN: split, move, merge, alter, compact and drop a table; of every table: make new ones, too. OPERATOR: everything.
enum Permission { READ = 1, WRITE = 2, ADMIN = 3, OPERATOR = 4 }

// READ and WRITE of the keys that begin with `prefix`. tableId 0: of every table, also of those to come.
struct Grant { 1: Permission permission, 2: i64 tableId, 3: binary prefix }

// Limits of one user, or of all users of one table, at a tablet server. Each server counts by itself, and answers calls
// above a limit with OVERLOADED. 0: no limit. A table has no limit of connections.
struct Limits { 1: i64 operationsPerSecond, 2: i64 bytesPerSecond, 3: i32 connections, 4: i32 inFlight }

// A password as a server stores it: RFC 5802, with SHA-256.
struct Secret { 1: binary salt, 2: i32 iterations, 3: binary storedKey, 4: binary serverKey }

// A user is named by a certificate, or logs in with a secret. `roles`: roles whose grants it has besides its own.
struct User { 1: string name, 2: list<Grant> grants, 3: list<string> roles, 4: optional Secret secret,
    5: Limits limits }
// The role "everybody" is every user's.
struct Role { 1: string name, 2: list<Grant> grants }
struct TableLimits { 1: i64 tableId, 2: Limits limits }

// /access in the coordinator
// everyUser is for each user without own limits. unknownUserKey is random: the answer to a login under an unknown
// name is made with it, so that a client cannot tell whether the name exists.
struct AccessNode { 1: list<User> users, 2: list<Role> roles, 3: list<TableLimits> tables, 4: Limits everyUser,
    5: binary unknownUserKey }

// SCRAM-SHA-256 (RFC 7677) without channel binding: the client's first message, then its final one, on the connection
// that is logged in. From then on it acts as that user. OK with `done`: `message` proves that the server knows the
// user.
struct LoginRequest { 1: i16 protocolVersion = types.PROTOCOL_VERSION, 2: string mechanism = "SCRAM-SHA-256",
    3: binary message }
struct LoginReply { 1: types.Status status, 2: binary message, 3: bool done }

service LoginService {
  LoginReply login(1: LoginRequest request)
}
