# The dependencies are installed here; only the result goes into the image that runs.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1

COPY requirements.lock /
RUN python -m venv /venv && /venv/bin/pip install --require-virtualenv -r /requirements.lock


FROM python:3.11-slim-bookworm

ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/fixapp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A number, so that an orchestrator can tell that it is not root
RUN groupadd --gid 10001 fixapp && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /fixapp fixapp

COPY --from=build /venv /venv
WORKDIR /fixapp
COPY gunicorn.conf.py wsgi.py ./
COPY migrations migrations
COPY app app

USER 10001:10001
EXPOSE 3001
STOPSIGNAL SIGTERM

# Alive, not ready: an outage of the database is no reason to restart this. http.client knows no proxies.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 3001, timeout=2); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]

CMD ["flask", "serve", "--host", "0.0.0.0"]
