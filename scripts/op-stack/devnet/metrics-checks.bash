#!/usr/bin/env bash
# Sourced by devnet.sh: the chain's alert rules and dashboard against the metrics of the programs that run here.
# shellcheck disable=SC2016,SC2034 # jq's variables; PART is said with each expectation

# The port at which a program serves its metrics, by the arguments that it was started with.
metrics_port() {
  planned sequencer -r --arg name "$1" '.stack.components[$name].args[]? | capture("^--metrics[.]port=(?<port>[0-9]+)$").port'
}

# The documented configuration with the devnet's ports, and without the jobs of programs that do not run.
prometheus_config() {
  local text job port
  text=$(sed "s/127.0.0.1:9467/$STATUS_METRICS/; s/_interval: 15s/_interval: 1s/" "$ROOT/docs/monitoring/chain-prometheus.yml")
  # it is the last job
  runs op-challenger || text=${text%%  # only where there is a prestate*}
  for job in op-geth:27300 op-node:27301 op-batcher:27302 op-proposer:27303 op-challenger:27304; do
    port=$(metrics_port "${job%:*}")
    text=${text//:${job#*:}\"/:$port\"}
  done
  printf '%s\n' "$text"
}

start_prometheus() {
  mkdir -p "$DIR/prometheus"
  cp "$ROOT/docs/monitoring/chain-alerts.yml" "$DIR/prometheus/"
  prometheus_config >"$DIR/prometheus/prometheus.yml"
  start status-metrics "$EC" status --stack "$DIR/sequencer/stack.json" --metrics-listen "$STATUS_METRICS" --watch 2
  start prometheus prometheus --config.file="$DIR/prometheus/prometheus.yml" --storage.tsdb.path="$DIR/prometheus/tsdb" \
    --web.listen-address="$PROMETHEUS"
  wait_for 60 curl --silent --fail "http://$PROMETHEUS/-/ready" || die 1 "prometheus does not start: $(last_words prometheus)"
}

# Of a chain without disputes there is nothing to see of the challenger.
chain_expressions() {
  expressions "$ROOT/docs/monitoring/chain-dashboard.json" | if runs op-challenger; then cat; else grep -v op_challenger; fi
}

all_have_data() {
  local expression missing=''
  while IFS= read -r expression; do
    has_data "http://$PROMETHEUS" "$expression" >/dev/null || missing+="no data: $expression"$'\n'
  done < <(chain_expressions)
  printf '%s' "$missing"
  [[ -z $missing ]]
}

# Every metric that an alert names is there.
all_named() {
  local name missing=''
  while read -r name; do
    has_data "http://$PROMETHEUS" "$name" >/dev/null || missing+="no metric $name"$'\n'
  done < <(sed -n 's/^ *expr: //p' "$ROOT/docs/monitoring/chain-alerts.yml" | grep -oE '(ec_op_stack|op_[a-z]+_default)_[a-z0-9_]+' | sort -u)
  printf '%s' "$missing"
  [[ -z $missing ]]
}

none_down() {
  curl --silent --fail "http://$PROMETHEUS/api/v1/query" --data-urlencode 'query=up == 0' |
    jq -r '.data.result[].metric.job' | tee "$DIR/out.down"
  [[ ! -s $DIR/out.down ]]
}

own_metrics_pass() {
  curl --silent --fail "http://$STATUS_METRICS/metrics" | promtool check metrics
}

# level RELATION [SUBJECT]: is 4, a failure
fails_in_metrics() {
  has_data "http://$PROMETHEUS" "ec_op_stack_relation_level{relation=\"$1\",subject=\"${2-}\"} == 4"
}

check_metrics() {
  PART=metrics
  # shellcheck source=scripts/prometheus.bash
  source "$ROOT/scripts/prometheus.bash"
  start_prometheus
  within 60 'status serves its metrics, and promtool takes them' own_metrics_pass
  within 60 'prometheus reaches every program' none_down
  within 180 'every expression of the dashboard has data' all_have_data
  within 30 'so has every metric that an alert names' all_named
  within 180 'no alert fires, and each can be evaluated' bad_rules "http://$PROMETHEUS"
  rpc "$SEQUENCER_NODE" admin_stopSequencer >"$DIR/stopped"
  within 30 'a stopped sequencer is a failure in the metrics' fails_in_metrics sequencing
  rpc "$SEQUENCER_NODE" admin_startSequencer "[$(<"$DIR/stopped")]" >/dev/null
  within 60 'and none when it goes on' not fails_in_metrics sequencing
  stop prometheus
  stop status-metrics
}
