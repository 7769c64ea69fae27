# socktrace and the docker CLI, for docker-in-docker and for machines that shall stay as they are:
#   docker build -t socktrace .
#   docker run --rm -it --cap-add SYS_PTRACE -v /var/run/docker.sock:/var/run/docker.sock socktrace docker ps
ARG BASE=debian:trixie-slim

FROM $BASE AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/socktrace && /opt/socktrace/bin/pip install -q --no-cache-dir '.[zstd,view]'

FROM $BASE
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates docker-cli python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/socktrace /opt/socktrace
ENV PATH=/opt/socktrace/bin:$PATH LC_ALL=C.UTF-8
ENTRYPOINT ["socktrace"]
