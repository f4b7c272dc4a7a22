# SPDX-License-Identifier: Apache-2.0
# `docker build .`, or `make image`, which needs neither Docker nor a registry; docs/install.md says how it is run.
FROM debian:12-slim AS build
RUN apt-get -q update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install gcc libc6-dev make pkg-config ca-certificates \
    libhiredis-dev libcurl4-openssl-dev libcjson-dev libssl-dev libevent-dev libyaml-dev
COPY . /build/meshpulse
WORKDIR /build/meshpulse
# A commit builds the same bytes wherever it is built.
RUN make meshpulse CFLAGS=-ffile-prefix-map=/build/meshpulse=. && tools/image_root.sh /image

# No shell, no package manager: the program, the libraries that it loads, and the authorities that TLS trusts.
FROM scratch
LABEL org.opencontainers.image.title="meshpulse" \
      org.opencontainers.image.description="Replicates the health of every service instance in the mesh" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="scratch"
COPY --from=build /image /
ENV PATH=/usr/bin
USER 65532:65532
# The program asks the unix socket if there is one, else 127.0.0.1:9810.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["meshpulse", "status", "--ready", "--timeout", "2s"]
ENTRYPOINT ["meshpulse"]
CMD ["serve"]
