# The dashboard in a container. EXTRA=tunix (default) can train the tiny model on CPU; EXTRA= (empty) is lean.
#   docker build -t tunix-rt .                 docker build --build-arg EXTRA= -t tunix-rt:lean .
#   docker run --rm -p 127.0.0.1:8501:8501 -v tunixrt:/data tunix-rt
FROM python:3.11-slim

ARG EXTRA=tunix
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 TUNIXRT_HOME=/data

WORKDIR /srv/tunix-rt
COPY pyproject.toml README.md LICENSE requirements.txt ./
COPY tunixrt_core ./tunixrt_core
COPY app ./app
COPY pages ./pages
# requirements.txt pins the Tunix-free app; the extra adds to it
RUN pip install -r requirements.txt && pip install ".${EXTRA:+[$EXTRA]}" -c requirements.txt \
    && useradd --create-home --uid 10001 tunixrt && mkdir -p /data && chown tunixrt /data

USER tunixrt
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
# inside a container the port must listen on all its addresses; the access token is printed at start
CMD ["tunixrt", "serve", "--host", "0.0.0.0", "--port", "8501"]
