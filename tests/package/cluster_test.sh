#!/usr/bin/env bash
# cluster_test.sh --here-is-a-throwaway-system DIRECTORY
# The three machines of docs/guide/install.md, from the packages in DIRECTORY: three ZooKeepers, two masters and three
# tablet servers, with certificates. They begin with the packages of the last release, are upgraded to these, go back,
# and are upgraded again. Each machine is an address of this one, with settings and directories of its own. It needs
# root, and purges what it installs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/rig.sh"

address() { echo "127.0.0.1$1"; }
zookeepers=$(address 1):2181,$(address 2):2181,$(address 3):2181/ebla

in_background() {  # in_background LOG COMMAND...
  local log=$work/$1.log; shift
  "$@" >"$log" 2>&1 &
  children+=($!)
}

# The guide's zoo.cfg; three on one machine need a directory each.
start_zookeeper() {  # MACHINE
  local data=$work/zookeeper$1
  mkdir "$data"
  echo "$1" >"$data/myid"
  sed -e "s#^clientPortAddress=.*#clientPortAddress=$(address "$1")#" -e "s#^dataDir=.*#dataDir=$data#" \
    /usr/share/doc/ebla-server/examples/zoo.cfg >"$data.cfg"
  for machine in 1 2 3; do echo "server.$machine=$(address $machine):2888:3888" >>"$data.cfg"; done
  in_background "zookeeper$1" java -cp /etc/zookeeper/conf:/usr/share/java/zookeeper.jar \
    -Dzookeeper.log.dir="$work" org.apache.zookeeper.server.quorum.QuorumPeerMain "$data.cfg"
}

# Changes a line of a flag file in place, as the guide directs, or an example line.
set_flag() {  # FILE FLAG VALUE
  grep -qE "^#?--$2=" "$1" || { echo "FAIL  $1 has no line for --$2"; exit 1; }
  sed -i -E "s|^#?--$2=.*|--$2=$3|" "$1"
}

settings_of() {  # ROLE MACHINE NAME PORT
  local file=$work/$3.flags
  cp "/etc/ebla/$1.flags" "$file"
  set_flag "$file" name "$3"
  set_flag "$file" zookeeper "$zookeepers"
  set_flag "$file" zookeeper_auth_file /etc/ebla/zookeeper.secret
  set_flag "$file" listen "$(address "$2"):$4"
  set_flag "$file" http_listen "127.0.0.1:0"  # the ports of three are not to meet
  set_flag "$file" tls_dir "/etc/ebla/tls/$3"
  [ "$1" = master ] || set_flag "$file" disk_reserve_mb 0
}

start() {  # ROLE MACHINE NAME; the unit's command, with directories of the machine's own
  in_background "$3" runuser -u ebla -- "ebla-$1" --data_dir="/var/lib/ebla/$3" --logs_dir="/var/log/ebla/$2" \
    --flagfile="$work/$3.flags"
}

stop() {  # NAME; waits until its directory is free
  kill "$(sed -n 's/^pid //p' "/var/lib/ebla/$1/ADDRESS")"
  wait_for flock --nonblock "/var/lib/ebla/$1/LOCK" true
}

restart() {  # ROLE MACHINE NAME
  stop "$3"
  start "$1" "$2" "$3"
  wait_for healthy
}

# The versions of the processes, one line if they are the same.
versions() { ebla --json cluster version | grep -oE '"version":"[0-9.]+' | cut -d'"' -f4 | sort -u; }
# The leader's knowledge of other masters is some seconds old, so this waits for it.
all_run() { [ "$(versions)" = "$(version_of "$1")" ]; }
version_of() { dpkg-deb --field "$1"/ebla-server_*.deb Version; }

healthy() { ebla health | grep -q '^healthy'; }
all_have_joined() { ebla health | grep -q '^healthy  3 of 3 servers'; }

apt update
release=$(cd "$(dirname "$0")/../data/release" && pwd)
apt install "$release"/ebla-server_*.deb "$release"/ebla-client_*.deb zookeeper default-jre-headless
chmod 755 "$work"
for machine in 1 2 3; do start_zookeeper $machine; done

cd "$work"
check "an authority is made" ebla cert create-ca --dir certs
check "an operator's certificate" ebla cert create-client olga --operator --dir olga
check "a user's certificate" ebla cert create-client ada --dir ada
install -d -m 0755 /etc/ebla/tls
(umask 077; echo "ebla:$(openssl rand -hex 24)" >/etc/ebla/zookeeper.secret)
chown root:ebla /etc/ebla/zookeeper.secret && chmod 640 /etc/ebla/zookeeper.secret
certificate() {  # NAME MACHINE [--master]
  check "a certificate of $1" ebla cert create-server "$1" ${3:+"$3"} --hosts "$(address "$2")" --dir "certificates/$1"
  install -d -m 0750 -o root -g ebla "/etc/ebla/tls/$1"
  install -m 0640 -o root -g ebla "certificates/$1"/* "/etc/ebla/tls/$1"
}

for machine in 1 2 3; do
  certificate ts-$machine $machine
  settings_of tabletserver $machine ts-$machine 7410
  start tabletserver $machine ts-$machine
done
for machine in 1 2; do
  certificate m-$machine $machine --master
  settings_of master $machine m-$machine 7400
  start master $machine m-$machine
done

EBLA_MASTERS=$(address 1):7400,$(address 2):7400
export EBLA_MASTERS EBLA_TLS_DIR=$work/olga
wait_for all_have_joined  # two alone are healthy, too
expect "health is as the guide shows it" "healthy  3 of 3 servers live, 0 tables, 0 tablets, 0 copies under way" ebla \
  health
check "a table is made" ebla table create carts --key-group :
check "a record is put" ebla put carts user42:cart '{"items": 3}'
expect "and read" '{"items": 3}' ebla get carts user42:cart
expect "it has three replicas" 3 sh -c 'ebla --json tablet list carts | grep -oE "ts-[123]" | sort -u | wc -l'
check "a user reads, once it may" sh -c "ebla grant read everybody --table carts"
check "a user reads" env EBLA_TLS_DIR="$work/ada" ebla get carts user42:cart
check "a user drops no table" sh -c "EBLA_TLS_DIR=$work/ada ebla table drop carts --yes 2>&1 | grep PERMISSION_DENIED"
check "nobody reads without a certificate" sh -c \
  'EBLA_TLS_DIR= ebla --deadline 2s get carts user42:cart 2>&1 | grep "closed by the server"'

# The guide's upgrade: packages first, then one process at a time. A downgrade has the reverse order.
upgrade() {
  apt install "$packages"/ebla-server_*.deb
  for machine in 1 2; do restart master $machine m-$machine; done
  check "the cluster's level is held" ebla cluster version --hold
  for machine in 1 2 3; do restart tabletserver $machine ts-$machine; done
  apt install "$packages"/ebla-client_*.deb
  wait_for all_run "$packages"
  expect "the record is there after the upgrade" '{"items": 3}' ebla get carts user42:cart
}
go_back() {
  apt install --allow-downgrades "$release"/ebla-server_*.deb "$release"/ebla-client_*.deb
  for machine in 1 2 3; do restart tabletserver $machine ts-$machine; done
  for machine in 1 2; do restart master $machine m-$machine; done
  wait_for all_run "$release"
  expect "the record is there after the way back" '{"items": 3}' ebla get carts user42:cart
}
wait_for all_run "$release"
upgrade
check "a record is put by the newer build" ebla put carts user43:cart '{"items": 1}'
go_back
expect "what the newer build has written is read" '{"items": 1}' ebla get carts user43:cart
upgrade
check "the cluster's level is released" ebla cluster version --release
check "replicas agree" ebla check
check "ZooKeeper's nodes are closed to others" sh -c \
  "/usr/share/zookeeper/bin/zkCli.sh -server $(address 1):2181 get /ebla/cluster 2>&1 | grep -i 'insufficient permission\|NoAuth'"

for name in m-1 m-2 ts-1 ts-2 ts-3; do stop "$name"; done
apt purge ebla-server ebla-client
check "purging takes the data" not test -e /var/lib/ebla
check "and leaves the secret" test -f /etc/ebla/zookeeper.secret
check "and leaves the certificates" test -f /etc/ebla/tls/ts-1/server.key
[ "$faults" = 0 ] || { echo "$faults faults"; exit 1; }
echo "three machines: installed, served, upgraded, taken back, upgraded again, purged"
