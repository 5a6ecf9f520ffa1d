#!/usr/bin/env bash
# Sourced by what checks docs/monitoring: questions to a Prometheus, and lint of what it reads.

# query URL EXPRESSION: the number of series in its result
query() {
  curl -fsS "$1/api/v1/query" --data-urlencode "query=$2" | jq -e '.data.result | length'
}

# has_data URL EXPRESSION
has_data() {
  [[ $(query "$1" "$2") != 0 ]]
}

# expressions DASHBOARD: each of them, with what Grafana would put in for its variables
expressions() {
  # shellcheck disable=SC2016 # these are Grafana's variables
  jq -r '.panels[].targets[]?.expr' "$1" | sed 's/\$instance/.+/g; s/\$host/.+/g; s/\$__rate_interval/30s/g'
}

# rules URL: how many there are
rules() {
  curl -fsS "$1/api/v1/rules" | jq '[.data.groups[].rules[]] | length'
}

# bad_rules URL: names those that cannot be evaluated or that fire, and fails if there is one
bad_rules() {
  local bad
  bad=$(curl -fsS "$1/api/v1/rules" |
    jq -r '.data.groups[].rules[] | select(.health != "ok" or .state == "firing") | "\(.name): \(.health), \(.state) \(.lastError // "")"') || return 1
  printf '%s' "$bad"
  [[ -z $bad ]]
}

# lint_monitoring CONFIGURATION RULES: promtool on both and on the rules' tests, of which each alert must have one; and every
# runbook must be a heading that is there
lint_monitoring() {
  local tests=${2%.yml}.test.yml alert url anchor
  promtool check rules "$2" && promtool check config --syntax-only "$1" || return 1
  (cd "$(dirname "$2")" && promtool test rules "$(basename "$tests")") || return 1
  while read -r alert; do
    grep -q "alertname: $alert\$" "$tests" || {
      echo "$tests: no test of $alert" >&2
      return 1
    }
  done < <(sed -n 's/^ *- alert: //p' "$2")
  while read -r url; do
    anchor=${url#*#}
    grep -iE '^#+ ' "${url%%#*}" | tr '[:upper:]' '[:lower:]' | sed -E 's/^#+ //; s/[^a-z0-9 -]//g; s/ /-/g' |
      grep -qxF "$anchor" || {
      echo "$2: $url: no such heading" >&2
      return 1
    }
  done < <(sed -n 's/^ *runbook_url: //p' "$2" | sort -u)
}
