# Built with the legacy builder as well as with BuildKit. GOPROXY and GOFLAGS of the build may be passed on.
FROM golang:1.26 AS build
ARG GOPROXY=
ARG GOSUMDB=
ARG COMMIT=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN if [ -n "$GOPROXY" ]; then export GOPROXY; else unset GOPROXY; fi; if [ -n "$GOSUMDB" ]; then export GOSUMDB; else unset GOSUMDB; fi; go mod download
COPY . .
RUN if [ -n "$GOPROXY" ]; then export GOPROXY; else unset GOPROXY; fi; if [ -n "$GOSUMDB" ]; then export GOSUMDB; else unset GOSUMDB; fi; CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.commit=$COMMIT" -o /proxy ./cmd/proxy

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/sluice --create-home sluice
COPY --from=build /proxy /usr/local/bin/proxy
USER sluice
WORKDIR /var/lib/sluice
EXPOSE 3307 8307
# The health check asks the gateway itself: no other program is needed in the image.
HEALTHCHECK --interval=2s --timeout=3s --start-period=30s --retries=30 CMD ["proxy", "health"]
ENTRYPOINT ["proxy"]
CMD ["serve"]
