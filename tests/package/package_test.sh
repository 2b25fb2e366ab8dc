#!/usr/bin/env bash
# package_test.sh --here-is-a-throwaway-system DIRECTORY
# Installs the four packages in DIRECTORY on this machine, tries them, removes and purges them. It needs root and leaves
# this machine with other packages than before, so it runs only if the first argument confirms that this does no harm.
# No systemd is needed: the server is started by hand, with the command and the user of its unit.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/rig.sh"

# A minimal image leaves man pages out.
rm -f /etc/dpkg/dpkg.cfg.d/docker /etc/dpkg/dpkg.cfg.d/excludes
apt update
apt install man-db systemd procps binutils pkg-config
apt install "$packages"/ebla-server_*.deb "$packages"/ebla-client_*.deb "$packages"/ebla-gateway_*.deb \
  "$packages"/libebla-dev_*.deb redis-tools

expect "the user has a home and no shell" "/var/lib/ebla:/usr/sbin/nologin" sh -c 'getent passwd ebla | cut -d: -f6,7'
for directory in /var/lib/ebla /var/log/ebla; do
  expect "$directory is the user's" "ebla:ebla 750" stat -c '%U:%G %a' "$directory"
done
for role in master tabletserver standalone; do
  expect "mode of $role.flags" "root:root 644" stat -c '%U:%G %a' "/etc/ebla/$role.flags"
  expect "$role.flags is the packaged one" "" diff "/usr/share/ebla/flags/$role.flags" "/etc/ebla/$role.flags"
  check "ebla-$role has a unit" test -f "/lib/systemd/system/ebla-$role.service"
  check "ebla-$role is not enabled" not test -e "/etc/systemd/system/multi-user.target.wants/ebla-$role.service"
  check "ebla-$role says its version" "ebla-$role" --version
done
check "systemd takes the units" systemd-analyze verify \
  /lib/systemd/system/ebla-{master,tabletserver,standalone,backup,gateway}.service
for role in master tabletserver standalone backup gateway; do
  check "the unit of the $role is exposed by less than 2.0 of 10" \
    systemd-analyze --offline=true --threshold=20 security "/lib/systemd/system/ebla-$role.service"
done
for page in ebla.1 ebla-ycsb.1 ebla-cluster.1 ebla-master.8 ebla-tabletserver.8 ebla-standalone.8 ebla-gateway.8; do
  # groff writes what it dislikes on stderr.
  expect "the page $page renders without a warning" "" sh -c \
    "LC_ALL=C.UTF-8 man --warnings -E UTF-8 -Tutf8 -Z ${page##*.} ${page%.*} 2>&1 >/dev/null"
done
check "the page of the master shows a flag" sh -c \
  'LC_ALL=C.UTF-8 MANPAGER=cat man 8 ebla-master | grep -q -- --replace_after_s='
check "bash completes the shell" grep -q "complete .* ebla" /usr/share/bash-completion/completions/ebla
for program in ebla ebla-ycsb ebla-cluster ebla-master ebla-tabletserver ebla-standalone ebla-gateway; do
  check "$program is linked as Debian hardens programs" \
    sh -c "readelf -d /usr/bin/$program | grep -q 'BIND_NOW\|FLAGS.*NOW'"
  check "$program is position-independent" sh -c "readelf -h /usr/bin/$program | grep -q 'DYN (Pos'"
  check "$program has fortified calls" sh -c "readelf -Ws --dyn-syms /usr/bin/$program | grep -q '_chk@'"
  check "$program guards its stacks" sh -c "readelf -Ws --dyn-syms /usr/bin/$program | grep -q __stack_chk_fail"
  check "$program says no word of a dirty tree" sh -c "! $program --version | grep -q dirty"
done
check "ebla-redis-copy's interpreter comes with it" \
  sh -c "dpkg-query -W -f='\${Depends}' ebla-gateway | grep -q python3"
check "pkg-config knows the SDK" pkg-config --exists ebla-client
check "every program finds its libraries" sh -c '! ldd /usr/bin/ebla* | grep "not found"'

# The command of the unit, as its user. The reserve is what a small disk has not.
read -r -a command < <(sed -n 's/^ExecStart=//p' /lib/systemd/system/ebla-standalone.service)
start() {
  (umask 0077; exec runuser -u ebla -- "${command[@]}" --disk_reserve_mb=0) >"$work/server.log" 2>&1 &
  server=$!
  children=("$server")
  wait_for ebla health
}
stop() {
  local began=$SECONDS
  kill "$(sed -n 's/^pid //p' /var/lib/ebla/standalone/ADDRESS)"
  check "the server ends with 0 on SIGTERM" wait "$server"
  children=()
  check "within ten seconds" test $((SECONDS - began)) -le 10
}
start
check "a table is made" ebla table create stock
check "a record is put" ebla put stock user42 apples
expect "and read" apples ebla get stock user42
# The gateway's unit, as its user, too.
check "a table for Redis is made" ebla table create redis
read -r -a gateway < <(sed -n 's/^ExecStart=//p' /lib/systemd/system/ebla-gateway.service)
install -d -o ebla-gateway -g ebla-gateway -m 0750 /var/log/ebla-gateway
(umask 0077; exec runuser -u ebla-gateway -- "${gateway[@]}" --redis_listen=127.0.0.1:6399) >"$work/gateway.log" 2>&1 &
children+=("$!")
wait_for redis-cli -p 6399 ping
expect "a client of Redis writes" OK redis-cli -p 6399 set user42 pears
expect "and the shell reads" pears ebla get redis user42
kill "$(pgrep -P "${children[-1]}")"  # what runuser has started, which then ends as that did
check "the gateway ends with 0 on SIGTERM" wait "${children[-1]}"
check "data belongs to the user alone" sh -c '[ "$(stat -c "%U %a" /var/lib/ebla/standalone/store)" = "ebla 700" ]'
check "the log is in /var/log/ebla" sh -c 'ls /var/log/ebla/ebla-standalone.*'
check "and nowhere else" not test -e /var/lib/ebla/standalone/logs
stop
start
expect "the record is there after a restart" apples ebla get stock user42
check "YCSB loads" ebla-ycsb load -P /usr/share/ebla/ycsb/workloada -p recordcount=100 -p ebla.replicas=1
stop

# The guide's claims about a server without a name, and about one that other machines reach without certificates.
check "a tablet server is refused without a name" \
  sh -c 'runuser -u ebla -- ebla-tabletserver --data_dir=/var/lib/ebla/tabletserver --flagfile=/etc/ebla/tabletserver.flags 2>&1 | grep -q -- --name'
check "a master is refused in the clear for others" \
  sh -c 'runuser -u ebla -- ebla-master --data_dir=/var/lib/ebla/master --flagfile=/etc/ebla/master.flags --listen=0.0.0.0:7400 2>&1 | grep -q -- --insecure'

# A program against the SDK.
example=$(cd "$(dirname "$0")/../../client/example" && pwd)
apt install g++ cmake ninja-build
check "the example is configured with libebla-dev" cmake -G Ninja -S "$example" -B "$work/example"
check "and built" cmake --build "$work/example"
start
check "and runs" "$work/example/example" 127.0.0.1:7400
stop

# Wrong usage ends with one code, which units do not restart on, and leaves no log.
rm -rf /var/log/ebla/*
for role in master tabletserver standalone; do
  check "wrong usage of ebla-$role ends with 2" sh -c "ebla-$role --no_such_flag; [ \$? = 2 ]"
  check "and its unit does not restart on that" \
    grep -q '^RestartPreventExitStatus=2$' "/lib/systemd/system/ebla-$role.service"
done
check "and leaves no log" sh -c '[ -z "$(ls /var/log/ebla)" ]'

# A server that systemd did not start.
start
check "removal is refused while a server runs" \
  sh -c '! apt-get -qq -y remove ebla-server 2>&1 | tee /tmp/removal.out; grep -q "a server runs on /var/lib/ebla/standalone" /tmp/removal.out'
check "and leaves its data" test -s /var/lib/ebla/standalone/IDENTITY
rm -f /tmp/removal.out
apt install --reinstall "$packages"/ebla-server_*.deb
stop

echo "# changed by an operator" >>/etc/ebla/standalone.flags
apt install --reinstall "$packages"/ebla-server_*.deb
check "an upgrade keeps changed flags" grep -q "changed by an operator" /etc/ebla/standalone.flags
apt remove ebla-server
check "removal keeps the data" test -s /var/lib/ebla/standalone/IDENTITY
check "removal keeps the flags" test -f /etc/ebla/standalone.flags
check "removal takes the programs" not test -e /usr/bin/ebla-master
apt install "$packages"/ebla-server_*.deb
start
expect "the record is there after removal and installation" apples ebla get stock user42
stop
apt purge ebla-server ebla-client ebla-gateway libebla-dev
for path in /var/lib/ebla /var/log/ebla /etc/ebla /usr/bin/ebla /usr/share/ebla /usr/include/ebla; do
  check "purging takes $path" not test -e "$path"
done
expect "purging leaves the user" ebla sh -c 'getent passwd ebla | cut -d: -f1'
[ "$faults" = 0 ] || { echo "$faults faults"; exit 1; }
echo "installed, tried, removed and purged"
