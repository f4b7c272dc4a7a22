#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes API for tests: etcd, kube-apiserver and kube-controller-manager on 127.0.0.1, built by
# the ordinary go client from the go.mod beside this file.  There is no kubelet: no container of a pod runs.
#
#   control-plane.sh build           build what is missing (cold: 12 minutes of one core, 6.5 of two)
#   control-plane.sh up STATE        start with an empty folder STATE; writes STATE/kubeconfig
#   control-plane.sh nodes STATE N   N faked nodes in the zones z1 z2 z3, the scheduler, and kwok, which says
#                                    of each pod that it is ready
#   control-plane.sh down STATE      end all of it
#
# Environment: KUBE_API_PORT (16443), KUBE_ETCD_PORT (23790).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
api_port=${KUBE_API_PORT:-16443}
etcd_port=${KUBE_ETCD_PORT:-23790}
version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$here/go.mod")
key=$(cat "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-12)
bin=${XDG_CACHE_HOME:-$HOME/.cache}/meshpulse-tests/kubernetes-$version-$key

controllers=serviceaccount-controller,root-ca-certificate-publisher-controller,namespace-controller
controllers=$controllers,daemonset-controller,deployment-controller,replicaset-controller
controllers=$controllers,garbage-collector-controller

say() { echo "control-plane: $*" >&2; }
die() { say "$*"; exit 1; }

# kwok does nothing without stages; its module carries them.
build_stages() {
    stages=$(cd "$here" && go list -mod=readonly -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
    for f in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
        pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
        echo ---
        cat "$stages/$f.yaml"
    done > "$bin/stages.yaml.new"
    mv "$bin/stages.yaml.new" "$bin/stages.yaml"
}

build() {
    command -v go > /dev/null || die "go is missing (1.26 or newer)"
    mkdir -p "$bin"
    minor=${version#v1.}
    minor=${minor%%.*}
    flags="-s -w"
    # Without these the server calls itself v0.0.0-master and every kubeVersion check of a chart fails.
    for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags="$flags -X $p.gitVersion=$version -X $p.gitMajor=1 -X $p.gitMinor=$minor -X $p.gitTreeState=clean"
    done
    for pkg in go.etcd.io/etcd/server/v3=etcd k8s.io/kubernetes/cmd/kubectl=kubectl \
        k8s.io/kubernetes/cmd/kube-apiserver=kube-apiserver \
        k8s.io/kubernetes/cmd/kube-controller-manager=kube-controller-manager \
        k8s.io/kubernetes/cmd/kube-scheduler=kube-scheduler sigs.k8s.io/kwok/cmd/kwok=kwok; do
        name=${pkg#*=}
        [ -x "$bin/$name" ] && continue
        say "building $name $version"
        (cd "$here" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "$flags" -o "$bin/$name.new" "${pkg%=*}")
        mv "$bin/$name.new" "$bin/$name"
    done
    [ -s "$bin/stages.yaml" ] || build_stages
    say "binaries: $bin"
}

start_api() {
    "$bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 \
        --secure-port="$api_port" --advertise-address=127.0.0.1 --external-hostname=127.0.0.1 --cert-dir=pki \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub \
        --service-account-signing-key-file=pki/sa.key --service-cluster-ip-range=10.0.0.0/24 \
        --authorization-mode=Node,RBAC --token-auth-file=pki/tokens.csv --allow-privileged=true \
        --endpoint-reconciler-type=none >> apiserver.log 2>&1 &
    echo $! > apiserver.pid
    i=0
    until curl -sk -H "Authorization: Bearer $(cut -d, -f1 pki/tokens.csv)" "https://127.0.0.1:$api_port/readyz" |
        grep -qx ok; do
        i=$((i + 1))
        [ $i -lt 600 ] || die "the API server is not ready after 60 s: $PWD/apiserver.log"
        kill -0 "$(cat apiserver.pid)" 2> /dev/null || die "the API server ended: $(tail -n 3 apiserver.log)"
        sleep 0.1
    done
}

up() {
    [ -x "$bin/kube-controller-manager" ] || die "run '$0 build' first"
    [ ! -e "$1/etcd" ] || die "$1 is in use; 'down' it and remove it"
    mkdir -p "$1/pki" && cd "$1"
    "$bin/etcd" --name e --data-dir etcd --listen-client-urls "http://127.0.0.1:$etcd_port" \
        --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls http://127.0.0.1:0 \
        --initial-advertise-peer-urls http://127.0.0.1:1 --initial-cluster e=http://127.0.0.1:1 \
        --unsafe-no-fsync > etcd.log 2>&1 &
    echo $! > etcd.pid
    openssl genrsa -out pki/sa.key 2048 2> /dev/null
    openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2> /dev/null
    token=$(openssl rand -hex 16)
    echo "$token,admin,admin,\"system:masters\"" > pki/tokens.csv
    start_api
    cp pki/apiserver.crt ca.crt
    cat > kubeconfig << KUBECONFIG
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:$api_port", certificate-authority: "$PWD/ca.crt"}}]
users: [{name: u, user: {token: $token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
KUBECONFIG
    "$bin/kube-controller-manager" --kubeconfig=kubeconfig --bind-address=127.0.0.1 --secure-port=0 \
        --leader-elect=false --service-account-private-key-file=pki/sa.key --root-ca-file=ca.crt \
        --controllers="$controllers" > controllers.log 2>&1 &
    echo $! > controllers.pid
    i=0
    until "$bin/kubectl" --kubeconfig kubeconfig -n default get serviceaccount default > /dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 300 ] || die "no default service account after 30 s: $PWD/controllers.log"
        sleep 0.1
    done
    say "ready: KUBECONFIG=$PWD/kubeconfig, kubectl: $bin/kubectl"
}

nodes() {
    cd "$1"
    # The node-lifecycle controller runs apart: alone with hand-made nodes it would call them dead after a minute.
    "$bin/kube-controller-manager" --kubeconfig=kubeconfig --bind-address=127.0.0.1 --secure-port=0 \
        --leader-elect=false --controllers=node-lifecycle-controller > lifecycle.log 2>&1 &
    echo $! > lifecycle.pid
    "$bin/kube-scheduler" --kubeconfig=kubeconfig --bind-address=127.0.0.1 --secure-port=0 \
        --leader-elect=false > scheduler.log 2>&1 &
    echo $! > scheduler.pid
    "$bin/kwok" --kubeconfig=kubeconfig --config "$bin/stages.yaml" --manage-all-nodes=true --cidr=10.9.0.0/16 \
        --node-ip=127.0.0.1 --node-lease-duration-seconds=40 > kwok.log 2>&1 &
    echo $! > kwok.pid
    n=1
    while [ $n -le "$2" ]; do
        printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n%d","labels":{"kubernetes.io/os":"linux",' $n
        printf '"kubernetes.io/hostname":"n%d","topology.kubernetes.io/zone":"z%d"}}}\n' $n $(((n - 1) % 3 + 1))
        n=$((n + 1))
    done | "$bin/kubectl" --kubeconfig kubeconfig apply -f - > /dev/null
    "$bin/kubectl" --kubeconfig kubeconfig wait --for=condition=Ready node --all --timeout=60s > /dev/null
}

# SIGKILL: after SIGTERM the API server closes its watches at once but itself lives on for 60 s.
end() {
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    kill -9 "$pid" 2> /dev/null || true
    while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
    rm -f "$1"
}

down() {
    for name in kwok scheduler lifecycle controllers apiserver etcd; do end "$1/$name.pid"; done
}

case ${1:-} in
build) build ;;
up | nodes | down) [ $# -ge 2 ] || die "usage: $0 $1 STATE"; "$@" ;;
*) sed -n '3,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
