# One image, two entry points: `headgate run …`, the controller, and `headgate haproxy …`, HAProxy in a container of its own
# (docs/install.md). Without arguments it is one container that starts HAProxy itself, for a first try.
#
#   BASE      what compiles: Debian 12 or later, of which nothing is in the image
#   VERSION   what `headgate --version` says; default: from git
#   CREATED, REVISION, SOURCE
#             when, of which commit, from where: for labels, as is VERSION; default: nothing
#
# The image is made of Debian's packages (HAProxy 3.4 and libraries): no shell, no package manager. deploy/image/build makes the same
# one where no base image can be had. What is said below is also in deploy/image/config.json; a test compares them.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG VERSION=
ENV HEADGATE_CACHE=/cache
WORKDIR /src
COPY . .
RUN deploy/dev/deps build && make ${VERSION:+VERSION=${VERSION}} && deploy/image/root build/headgate /image

FROM scratch
ARG VERSION= CREATED= REVISION= SOURCE=
COPY --from=build /image/ /
LABEL org.opencontainers.image.title="Headgate" \
	org.opencontainers.image.description="A Kubernetes ingress controller that drives HAProxy over its Runtime API" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="${VERSION}" \
	org.opencontainers.image.created="${CREATED}" \
	org.opencontainers.image.revision="${REVISION}" \
	org.opencontainers.image.source="${SOURCE}"
ENV PATH=/usr/bin HEADGATE_CONFIG_DIR=/usr/share/headgate/haproxy-cfg
USER 65532:65532
WORKDIR /
VOLUME ["/run/headgate", "/var/lib/headgate"]
EXPOSE 8080 8443 8404 8405
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=11s --start-period=60s CMD ["/usr/bin/headgate", "health"]
ENTRYPOINT ["/usr/bin/headgate"]
CMD ["run", "--haproxy=haproxy"]
