#!/usr/bin/env bash
# The whole story told to a running system, one line a check; needs bash and curl, no more.
#
#   LULL_URL        where it runs; default http://localhost:8080
#   LULL_TOKEN      the token, where it asks for one
#   LULL_SERVICES   addresses of services on ports of their own, with spaces between;
#                   default: ports 8081 to 8083 of the same host, as far as they answer
#   LULL_WAIT       seconds that a change may take until it is seen; default 30
#
# Sessions must be those of the default settings: gap 30 min, grace 5 min. Users are new in each
# run, so it may run as often as you like, beside other traffic. Ends with 1 if a check failed.
set -uo pipefail

url=${LULL_URL:-http://localhost:8080}
url=${url%/}
wait_s=${LULL_WAIT:-30}
run=$(date +%s)-$$
passed=0
failed=0
body=
status=

# ask PATH [CURL'S OPTIONS]: the answer is in `body` and `status`, which is 000 without one.
ask() {
  local target=$1 answer
  shift
  [[ $target == http* ]] || target=$url$target
  [ -z "${LULL_TOKEN:-}" ] || set -- "$@" -H @<(printf 'Authorization: Bearer %s' "$LULL_TOKEN")
  answer=$(curl -s --max-time 20 -w '\n%{http_code}' "$@" "$target")
  status=${answer##*$'\n'}
  body=${answer%$'\n'*}
}

# Every value of a field in the last answer, in their order.
values() {
  local rest=$body pattern="\"$1\":\"?([^\",}]*)" found=()
  while [[ $rest =~ $pattern ]]; do
    found+=("${BASH_REMATCH[1]}")
    rest=${rest#*"${BASH_REMATCH[0]}"}
  done
  echo "${found[*]-}"
}

pass() {
  passed=$((passed + 1))
  echo "ok    $1"
}

fail() {
  failed=$((failed + 1))
  echo "FAIL  $1: $2"
  if command -v jq > /dev/null && jq . <<< "$body" 2> /dev/null; then return; fi
  echo "${body:0:2000}"
}

# check WHAT FIELD WANTED: of the last answer; WANTED is a pattern of the shell.
check() {
  local got
  got=$(values "$2")
  # shellcheck disable=SC2053
  if [[ $got == $3 ]]; then pass "$1"; else fail "$1" "$2 is '$got' ($status), not '$3'"; fi
}

# expect WHAT PATH FIELD WANTED: asks until it is so, or for as long as may be waited.
expect() {
  local until=$(($(date +%s) + wait_s))
  while :; do
    ask "$2"
    # shellcheck disable=SC2053
    [[ $(values "$3") == $4 || $(date +%s) -ge $until ]] && break
    sleep 0.2
  done
  check "$1" "$3" "$4"
}

# event USER ID SECONDS_AGO [TYPE [MORE FIELDS]]
event() {
  printf '{"userId":"%s","eventId":"%s-%s","eventType":"%s","timestamp":%s,"page":"/%s"%s}' \
    "$1" "$1" "$2" "${4:-PAGE_VIEW}" $((($(date +%s) - $3) * 1000)) "$2" "${5:+,$5}"
}

# post EVENT...: what they are answered is in `body`, the position to read after in `position`.
post() {
  local IFS=,
  ask /api/events -H 'Content-Type: application/json' --data "[$*]"
  position=$(values position)
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

minutes() { echo $(($1 * 60)); }

echo "Lull at $url, run $run"

# --- health

ask /health
if [ "$status" = 000 ]; then
  fail 'it answers' "nothing does at $url; is it running? LULL_URL says where to ask"
  finish
fi
check 'it answers /health' status '*[a-z]*'
usual_wait_s=$wait_s
wait_s=300
expect 'it is ready' /ready ready true
wait_s=$usual_wait_s
[ "$failed" = 0 ] || finish
expect 'every part is well' /health status ok*
ask /api/system
check 'sessions are parted by 30 minutes, as by default' gapSeconds 1800
[ "$failed" = 0 ] || finish

# --- closing, first half: its end comes in half a minute, once its grace is over

closing=closing-$run
closes_at=$(($(date +%s) + 30))
post "$(event "$closing" last $(($(minutes 35) - 30)))" "$(event "$closing" now 0)"
check 'two events 34.5 minutes apart are taken' accepted 2
expect 'and the newer one is a session of its own' "/api/sessions/active/$closing" entryPage /now
ask "/api/sessions/history/$closing"
check 'the older one is not closed while its grace lasts' items '\[\]'

# --- a journey: e1, e2, 25 minutes, e3, e4, 35 minutes, e5; and the user is here again now

user=journey-$run
journey=(
  "$(event "$user" e1 "$(minutes 100)")"
  "$(event "$user" e2 "$(minutes 99)")"
  "$(event "$user" e3 "$(minutes 74)")"
  "$(event "$user" e4 "$(minutes 73)" ADD_TO_CART)"
  "$(event "$user" e5 "$(minutes 38)")"
)
post "${journey[@]}"
check 'a journey of five events is taken' accepted 5
post "$(event "$user" now 0 CLICK)"
ask "/api/sessions/active/$user" -H "Lull-After: $position"
check 'what was written is read at once: the active session' eventCount 1
check 'the active session is active' state active
check 'it says where the answer comes from' source '[a-z]*'
history=/api/sessions/history/$user
expect 'a lull of 25 minutes is within a session, one of 35 ends it' "$history" eventCount '1 4'
check 'the first session begins and ends where it should' entryPage '/e5 /e1'
check 'closed sessions say why' closeReason 'inactivity inactivity'
read -r second first <<< "$(values sessionId)"

# --- an event that comes late bridges the two

late=$(event "$user" late "$(minutes 55)" PURCHASE '"amount":59.9,"currency":"EUR"')
post "$late"
check 'a purchase that comes an hour late is taken' accepted 1
expect 'it bridges the two closed sessions' "$history" eventCount 6
check 'from the first event to the last' durationSeconds 3720
check 'with a conversion' hasConversion true
check 'and its revenue' EUR 59.9
ask "/api/sessions/$second"
check 'the id of the absorbed session leads to the one that is left' sessionId "$first"
ask "/api/sessions/history/$user?limit=1"
check 'history is paged' eventCount 6

# --- the same again changes nothing

post "${journey[@]}" "$late"
check 'the same events again are taken' accepted 6
ask "/api/sessions/$first" -H "Lull-After: $position"
check 'and change nothing' eventCount 6

# --- an event that comes late bridges a closed session and a live one

bridge=bridge-$run
post "$(event "$bridge" e1 "$(minutes 38)")" "$(event "$bridge" e2 "$(minutes 37)")" \
  "$(event "$bridge" e3 "$(minutes 2)")" "$(event "$bridge" e4 0)"
expect 'another journey: two events are over' "/api/sessions/history/$bridge" eventCount 2
first=$(values sessionId)
expect 'and two are live' "/api/sessions/active/$bridge" eventCount 2
post "$(event "$bridge" late "$(minutes 20)")"
expect 'a late event makes one live session of both' "/api/sessions/active/$bridge" eventCount 5
check 'the older id stays' sessionId "$first"
expect 'and history takes the closed one out' "/api/sessions/history/$bridge" items '\[\]'

# --- what is wrong is refused

ask /api/events -H 'Content-Type: application/json' --data '{"userId":"nobody"}'
check 'an event without a type is refused, with a reason' code '[a-z]*'
[ "$status" = 400 ] && pass 'with status 400' || fail 'with status 400' "it is $status"
ask "/api/sessions/active/nobody-$run"
check 'nobody has no session' code user_unknown

# --- figures

expect 'the conversion is listed' '/api/sessions/converted?size=1000' userId "*$user*"
expect 'stats count sessions' '/api/analytics/stats?hours=24' totalSessions '[1-9]*'
check 'and conversions' conversionCount '[1-9]*'
check 'with their share' conversionRate '*[1-9]*'
check 'the mean duration' averageDuration '*[1-9]*'
check 'and the mean count of events' averageEventCount '*[1-9]*'

# --- closing, second half

left_s=$((closes_at + 2 - $(date +%s)))
[ "$left_s" -le 0 ] || sleep "$left_s"
# Nothing else may move the clock of this partition.
post "$(event "$closing" tick 0)"
expect 'it closes once gap and grace are over' "/api/sessions/history/$closing" entryPage /last
check 'by inactivity' closeReason inactivity
check 'sent at the first tier' tier 5m

# --- metrics, of all services wherever they are

if [ -z "${LULL_SERVICES+given}" ]; then
  LULL_SERVICES=
  [[ $url =~ ^(.*):8080$ ]] && LULL_SERVICES=$(printf "${BASH_REMATCH[1]}:%s " 8081 8082 8083)
fi
metrics=
for service in "$url" $LULL_SERVICES; do
  ask "$service/metrics"
  [ "$status" = 200 ] && metrics+=$'\n'$body
  ask "$service/health"
  [[ $body == *'"event-producer"'* ]] && has_producer=yes
done
names=(kafka_streams_state_store_records session_duration_seconds_count lull_events_processed_total)
[ -z "${has_producer:-}" ] || names+=(kafka_producer_record_send_total)
for name in "${names[@]}"; do
  body=
  pattern=$'\n'"$name(\\{[^}]*\\})? [0-9]"
  if [[ $metrics =~ $pattern ]]; then
    pass "$name is among the metrics"
  else
    fail "$name is among the metrics" 'it is not'
  fi
done

finish
