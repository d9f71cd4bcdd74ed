# syntax=docker/dockerfile:1

# By their tags, which move; a release names both by digest: --build-arg RUNTIME=...@sha256:...
ARG TOOLCHAIN=rust:1.95.0-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

# The image with make and a C compiler, which jemalloc and SQLite are built with.
FROM ${TOOLCHAIN} AS build
# rust-toolchain.toml would have rustup fetch what only developers need.
ENV RUSTUP_TOOLCHAIN=1.95.0
# Here, because cargo reads from .cargo/config.toml of the directory it runs in how jemalloc gives memory back.
WORKDIR /source
COPY . .
# Dependencies and what was compiled of them outlive the build.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --bin ownership \
    && install -D target/release/ownership /image/ownership \
    && mkdir /image/data

# The C library of the same Debian, certificates of public authorities, and nothing else: no shell.
FROM ${RUNTIME}
LABEL org.opencontainers.image.title="ownership" \
      org.opencontainers.image.description="Who owns which lead: the ownership service of the Leadflip CRM." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ownership /usr/local/bin/ownership
# Where SQLite's file is unless told otherwise.
COPY --from=build --chown=65532:65532 /image/data /var/lib/ownership
WORKDIR /var/lib/ownership
USER 65532:65532
# gRPC; health, metrics and the configuration without secrets.
EXPOSE 50051 9464
# For Docker. Kubernetes has probes of its own and does not look here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["ownership", "healthcheck", "--timeout", "4s"]
ENTRYPOINT ["ownership"]
CMD ["serve"]
