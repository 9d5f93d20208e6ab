#!/usr/bin/env bash
# Loads a running system and says whether it keeps its promises: --rate, --duration, --users and
# what else `./load-test.sh --help` names. LULL_URL says where it runs, LULL_TOKEN its token.
# Needs Node.js; without it, runs in the gateway's container.
set -euo pipefail
cd "$(dirname "$0")"

if command -v npm > /dev/null; then
  exec npm run -s lull -- load-test --to "${LULL_URL:-http://localhost:8080}" "$@"
fi
services=http://event-producer:8081,http://session-processor:8082,http://session-analytics:8083
exec docker compose exec -T api-gateway \
  lull load-test --to http://localhost:8080 --services "$services" "$@"
