#!/usr/bin/env bash
# Makes this machine ready for the tests and the demo. Each part does nothing
# when it is there already, and says what it did.
#
#   test/setup.sh engine     a Docker Engine that answers
#   test/setup.sh tools      gcc for the race detector, sshd for the ssh tests, golangci-lint
#   test/setup.sh cluster    a Kubernetes cluster of one node, with the demo's image
#   test/setup.sh gitea      Gitea, built: tests start their own
#   test/setup.sh forge      a Gitea that runs, for developers
#
# engine-down, cluster-down and forge-down stop what was started from here.
# Debian's packages and Go modules are all that it installs.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"

say() { echo "setup: $*"; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
		say "need root to run: $* (run it yourself, or install sudo)" >&2
		return 1
	fi
}

# packages COMMAND=PACKAGE... installs the packages whose commands are missing.
packages() {
	local missing=()
	for pair in "$@"; do
		command -v "${pair%%=*}" >/dev/null || [ -x "/usr/sbin/${pair%%=*}" ] || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} = 0 ] && return 0
	if ! command -v apt-get >/dev/null; then
		say "please install: ${missing[*]} (this machine has no apt-get)" >&2
		return 1
	fi
	say "installing ${missing[*]} from Debian's packages"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 ||
		{ tail -20 "$cache/apt.log" >&2; return 1; }
}

answers() { docker version --format '{{.Server.Version}}' 2>/dev/null; }

# forget FILE NAME removes a pid file whose process is no live NAME: an engine
# that was killed leaves it, and the next one takes whoever has that number now,
# a zombie even, for itself.
forget() {
	local pid
	pid=$(as_root cat "$1" 2>/dev/null) || return 0
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || grep -qs '^State:.*Z' "/proc/$pid/status"; then
		as_root rm -f "$1"
	fi
}

engine() {
	if command -v docker >/dev/null && version=$(answers); then
		say "Docker Engine $version answers"
		return 0
	fi
	packages dockerd=docker.io docker=docker.io iptables=iptables
	for _ in 1 2 3 4 5; do answers >/dev/null && break; sleep 1; done # the package may have started it
	local socket=/var/run/docker.sock
	if [ -z "${DOCKER_HOST:-}" ] && [ -S $socket ] && [ ! -w $socket ]; then # another dockerd would not help
		say "you may not use this machine's Docker Engine: run 'sudo usermod -aG docker $(id -un)', then log in again" >&2
		return 1
	fi
	if ! answers >/dev/null; then
		forget /var/run/docker.pid dockerd
		forget /var/run/docker/containerd/containerd.pid containerd
		say "starting dockerd (log: .cache/dockerd.log; 'make engine-down' stops it)"
		as_root bash -c "setsid nohup dockerd >'$cache/dockerd.log' 2>&1 </dev/null & echo \$! >'$cache/dockerd.pid'"
	fi
	for _ in $(seq 60); do
		if version=$(answers); then
			say "Docker Engine $version answers"
			return 0
		fi
		sleep 0.5
	done
	tail -20 "$cache/dockerd.log" >&2 || true
	say "dockerd did not answer within 30 seconds" >&2
	return 1
}

engine_down() {
	[ -f "$cache/dockerd.pid" ] || { say "no dockerd was started from here"; return 0; }
	as_root kill "$(cat "$cache/dockerd.pid")" 2>/dev/null || true
	rm -f "$cache/dockerd.pid"
	say "dockerd stopped"
}

# compiler makes sure of what cgo needs.
compiler() {
	packages gcc=gcc
	[ -e /usr/include/stdlib.h ] || packages missing-libc6-dev=libc6-dev
}

tools() {
	compiler
	packages sshd=openssh-server git=git
	local stamp
	stamp=$cache/golangci-lint.$(cksum <test/lint/go.sum | cut -d' ' -f1).$(go env GOVERSION)
	if [ ! -f "$stamp" ]; then
		say "building golangci-lint (some minutes, once)"
		(cd test/lint && go build -o "$cache/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
		rm -f "$cache"/golangci-lint.*
		touch "$stamp"
	fi
}

# The cluster: test/cluster starts and stops it, the rest here is what it starts.
cluster=$cache/cluster
kubeconfig=$cluster/kubeconfig

# cluster_binaries builds Kubernetes and etcd, once for each go.mod of test/cluster.
cluster_binaries() {
	local release stamp version=k8s.io/component-base/version
	release=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' test/cluster/go.mod)
	stamp=$cluster/built.$(cksum <test/cluster/go.mod | cut -d' ' -f1).$(go env GOVERSION)
	mkdir -p "$cluster"
	if [ ! -f "$stamp" ]; then
		say "building Kubernetes $release and etcd (5 minutes on two idle cores, once)"
		# Kubernetes reads its version, which clients parse, from the linker's flags.
		(cd test/cluster && CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false" nice go build -trimpath -o "$cluster/bin/" -ldflags "-s -w \
			-X $version.gitVersion=$release -X $version.gitTreeState=clean \
			-X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$release")" tool)
		rm -f "$cluster"/built.*
		touch "$stamp"
	fi
	(cd test/cluster && CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false" go build -ldflags '-s -w' -o "$cluster/bin/" . ./pause)
}

# cluster_images writes the archives of the images that the node is given.
cluster_images() {
	go build -o "$cluster/bin/imagetar" ./test/imagetar
	"$cluster/bin/imagetar" berth.invalid/pause:1 "$cluster/bin/pause" >"$cluster/pause.tar"
	for version in 0.1.0 0.1.1; do
		"$cluster/bin/imagetar" "berth.invalid/demo:$version" bin/berth >"$cluster/demo-$version.tar"
	done
}

cluster() {
	if [ -n "${BERTH_TEST_KUBECONFIG:-}" ]; then
		say "tests use the cluster of BERTH_TEST_KUBECONFIG; none is started"
		echo "KUBECONFIG=$BERTH_TEST_KUBECONFIG"
		return 0
	fi
	packages containerd=containerd ctr=containerd runc=runc ip=iproute2 nft=nftables mount=mount \
		/usr/lib/cni/bridge=containernetworking-plugins
	cluster_binaries
	cluster_images
	as_root "$cluster/bin/cluster" up --bin "$cluster/bin" \
		--image "$cluster/pause.tar" --image "$cluster/demo-0.1.0.tar" --image "$cluster/demo-0.1.1.tar"
	(umask 077 && as_root "$cluster/bin/cluster" kubeconfig >"$kubeconfig")
	echo "KUBECONFIG=$kubeconfig"
}

cluster_down() {
	[ -x "$cluster/bin/cluster" ] || { say "no cluster was started from here"; return 0; }
	as_root "$cluster/bin/cluster" down
	rm -f "$kubeconfig"
}

# The forge: test/forge configures, starts and stops it, the rest here is what it starts.
forge=$cache/forge

# gitea builds Gitea, once for each go.mod of test/forge.
gitea() {
	local release stamp
	compiler # for its SQLite
	packages git=git
	release=$(sed -n 's/^\tcode.gitea.io\/gitea v\([0-9.]*\).*/\1/p' test/forge/go.mod)
	stamp=$forge/built.$(cksum <test/forge/go.mod | cut -d' ' -f1).$(go env GOVERSION)
	mkdir -p "$forge"
	if [ ! -f "$stamp" ]; then
		say "building Gitea $release (3 minutes on two idle cores, once)"
		(cd test/forge && CGO_ENABLED=1 GOFLAGS="-mod=readonly -buildvcs=false" nice go build -trimpath -o "$forge/bin/" \
			-tags 'sqlite sqlite_unlock_notify' -ldflags "-s -w -X main.Version=$release" tool)
		gitea_static
		chmod -R u+w,a+rX "$forge/bin" "$forge/static" # another user runs it
		rm -f "$forge"/built.*
		touch "$stamp"
	fi
	(cd test/forge && CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false" go build -ldflags '-s -w' -o "$forge/forge" .)
}

# gitea_static copies what Gitea reads of its module. The module lacks the
# compiled scripts and styles: pages are plain, and what stands for the list of
# scripts and for the styles is empty. The texts of 700 licences would be read at
# each start.
gitea_static() {
	local module static=$forge/static
	module=$(cd test/forge && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' code.gitea.io/gitea)
	rm -rf "$static"
	mkdir -p "$static/options/locale" "$static/public/assets/.vite" "$static/public/assets/css"
	cp -R "$module/templates" "$static/"
	cp -R "$module/options/label" "$static/options/"
	cp "$module/options/locale/locale_en-US.json" "$static/options/locale/"
	cp -R "$module/public/assets/img" "$static/public/assets/"
	echo '{}' >"$static/public/assets/.vite/manifest.json"
	: >"$static/public/assets/css/theme-gitea-auto.css"
}

forge() {
	gitea
	"$forge/forge" up --from "$forge"
}

forge_down() {
	[ -x "$forge/forge" ] || { say "no forge was started from here"; return 0; }
	"$forge/forge" down
}

for part in "$@"; do
	case $part in
	engine | tools | cluster | gitea | forge) "$part" ;;
	engine-down) engine_down ;;
	cluster-down) cluster_down ;;
	forge-down) forge_down ;;
	*) say "unknown part: $part" >&2; exit 2 ;;
	esac
done
