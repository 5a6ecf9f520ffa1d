#!/usr/bin/env bash
# Sourced by devnet.sh: processes that outlive the script, and are ended by whoever calls it next.
#
# $DIR/run/NAME holds a process's id and its start time, so that a later process with the same id is left alone.

# start NAME COMMAND…: in the background, with a log of its own
start() {
  local name=$1 pid
  shift
  ! runs "$name" || die 2 "$name runs already"
  # a group of its own, so that a signal reaches what it has started too; and none of the caller's descriptors, or who waits
  # for their end waits for it
  set -m
  "$@" >>"$DIR/log/$name.log" 2>&1 </dev/null &
  pid=$!
  set +m
  printf '%s %s\n' "$pid" "$(born "$pid")" >"$DIR/run/$name"
  disown "$pid"
}

# When a process started, in ticks since the machine did: field 22 of its stat. Nothing for one that has ended.
born() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} == Z ]] || printf '%s\n' "${fields[19]}"
}

runs() {
  local pid time
  { read -r pid time <"$DIR/run/$1"; } 2>/dev/null || return 1
  [[ -n $time && $(born "$pid") == "$time" ]]
}

# send_signal SIGNAL NAME: to it and all that it has started
send_signal() {
  local pid
  runs "$2" || return 0
  read -r pid _ <"$DIR/run/$2"
  kill -s "$1" -- "-$pid" 2>/dev/null || true
}

# stop NAME: asks it to end, after a minute makes it
stop() {
  local name=$1 end=$((SECONDS + 60))
  send_signal CONT "$name"
  send_signal TERM "$name"
  while runs "$name"; do
    if ((SECONDS >= end)); then
      say "$name did not end by itself"
      send_signal KILL "$name"
    fi
    sleep 0.1
  done
  rm -f "$DIR/run/$name"
}

# In the reverse order of their start.
stop_all() {
  local name names
  mapfile -t names < <(ls -t "$DIR/run" 2>/dev/null || true)
  for name in "${names[@]}"; do
    stop "$name"
  done
}

# wait_for SECONDS COMMAND…
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.5
  done
}

# The end of a process's log, for a message.
last_words() {
  tail -n 5 "$DIR/log/$1.log" 2>/dev/null || true
}
