# One image, two entry points: `headgate run …` (the default) and `haproxy …`. Without arguments it is one container that starts
# HAProxy itself, for a first try; the recommended set-up is two containers of one pod that share /run/headgate and /var/lib/headgate.
#
#   BUILD_BASE  what compiles: any Debian 12 or later
#   BASE        what runs: an image with HAProxy 3.4 or later on PATH and Debian's package manager

ARG BUILD_BASE=debian:bookworm-slim
ARG BASE=haproxy:3.4-bookworm

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY . .
RUN deploy/dev/deps build && make BUILD=/out install PREFIX=/usr DESTDIR=/image

FROM ${BASE}
USER root
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates libcurl4 libevent-2.1-7 libjson-c5 libyaml-0-2 \
	&& rm -rf /var/lib/apt/lists/* \
	&& install -d -o haproxy -g haproxy /run/headgate /var/lib/headgate
COPY --from=build /image/ /
USER haproxy
EXPOSE 8080 8443 8404 8405
STOPSIGNAL SIGTERM
ENTRYPOINT ["headgate"]
CMD ["run", "--haproxy=haproxy"]
