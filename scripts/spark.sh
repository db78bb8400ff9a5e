#!/usr/bin/env bash
# A small Spark cluster on this machine, from the pyspark package of .venv: a standalone master, two workers and a Thrift
# server for profile target `spark` with LEADLAG_SPARK_METHOD=thrift. For development and tests: it answers on the loopback
# interface only and asks nobody for a password.
# usage: scripts/spark.sh start|stop|status|java      java: sees that there is one, by Debian's package where it may
#   LEADLAG_SPARK_DIR     folder of warehouse, metastore and logs (default .cache/spark), the same that method session uses;
#                         only one process at a time can have the metastore open
#   LEADLAG_SPARK_PORT    port of the Thrift server (default 10000)
#   LEADLAG_SPARK_MEMORY  memory of the Thrift server (default 2g); each worker has 1g
#   LEADLAG_SPARK_CODEGEN, LEADLAG_SPARK_JAVA_OPTIONS, LEADLAG_SPARK_PARTITIONS   as in profiles.example.yml
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${LEADLAG_SPARK_DIR:-.cache/spark}
port=${LEADLAG_SPARK_PORT:-10000}
seconds_to_start=120
processes='thrift worker1 worker2 master'
python=.venv/bin/python

fail() {
  echo "spark: $*" >&2
  exit 1
}

pid_of() { cat "$run/$1.pid" 2>/dev/null || true; }

# Of a process group, so that a worker's executors count; the number alone could be somebody else's by now.
is_running() { [ -n "$1" ] && pgrep -g "$1" -f org.apache.spark >/dev/null; }

answers() {
  "$python" - "$port" <<'PYTHON' 2>/dev/null
import sys
from pyhive import hive

cursor = hive.connect(host="127.0.0.1", port=int(sys.argv[1])).cursor()
cursor.execute("select 1")
assert cursor.fetchall() == [(1,)]
PYTHON
}

has_java() { type -P java >/dev/null || [ -x "${JAVA_HOME:-}/bin/java" ]; }

java() {
  if ! has_java; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "no Java here; install Java 17 or newer, or set JAVA_HOME"
    echo "spark: installing the package default-jre-headless" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends default-jre-headless; } >&2
  fi
}

# launch <name> <command>: in a process group of its own, log in $run/<name>.log
launch() {
  local name=$1
  shift
  set -m
  nohup "$@" >"$run/$name.log" 2>&1 </dev/null &
  echo $! >"$run/$name.pid"
  set +m
}

# wait_for <what> <name> <command>: until the command succeeds, the process dies or time is up
wait_for() {
  local what=$1 name=$2
  shift 2
  until "$@"; do
    sleep 0.5
    if ! is_running "$(pid_of "$name")" || [ "$SECONDS" -gt "$seconds_to_start" ]; then
      grep -hE 'ERROR|Exception|Caused by' "$run/$name.log" | tail -n 5 >&2 || true
      stop
      fail "$what did not start; its log is $run/$name.log"
    fi
  done
}

start() {
  "$python" -c 'import pyhive, pyspark' 2>/dev/null || fail "needs the extra: make setup EXTRA=spark"
  has_java || fail "needs Java 17 or newer on PATH or in JAVA_HOME; scripts/spark.sh java installs one"
  if is_running "$(pid_of thrift)"; then
    fail "runs already on port $port; scripts/spark.sh stop ends it"
  fi
  ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || fail "port $port is taken; choose another with LEADLAG_SPARK_PORT"
  rm -rf "$run"
  mkdir -p "$run/conf"
  cat >"$run/conf/spark-defaults.conf" <<CONF
spark.driver.memory ${LEADLAG_SPARK_MEMORY:-2g}
spark.driver.host 127.0.0.1
spark.driver.extraJavaOptions ${LEADLAG_SPARK_JAVA_OPTIONS:-} -Dderby.stream.error.file=$dir/derby.log
spark.executor.extraJavaOptions ${LEADLAG_SPARK_JAVA_OPTIONS:-}
spark.executor.memory 1g
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:;databaseName=$dir/metastore;create=true
spark.master.rest.enabled false
spark.local.dir $run/local
spark.sql.codegen.wholeStage ${LEADLAG_SPARK_CODEGEN:-true}
spark.sql.session.timeZone UTC
spark.sql.shuffle.partitions ${LEADLAG_SPARK_PARTITIONS:-2}
spark.sql.warehouse.dir $dir/warehouse
spark.ui.enabled false
CONF
  SPARK_HOME=$("$python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
  export SPARK_HOME SPARK_CONF_DIR="$run/conf" SPARK_LOCAL_IP=127.0.0.1
  # Spark gives this variable to the Thrift server too, for which it is too little.
  local daemon="env SPARK_DAEMON_MEMORY=256m $SPARK_HOME/bin/spark-class org.apache.spark.deploy" master number
  launch master $daemon.master.Master --host 127.0.0.1 --port 0 --webui-port 0
  wait_for 'the master' master grep -q 'Starting Spark master at' "$run/master.log"
  master=$(grep -oE 'spark://127.0.0.1:[0-9]+' "$run/master.log" | head -n 1)
  for number in 1 2; do
    launch worker$number $daemon.worker.Worker --host 127.0.0.1 --webui-port 0 --cores 1 --memory 1g \
      --work-dir "$run/work$number" "$master"
  done
  launch thrift "$SPARK_HOME/bin/spark-submit" --master "$master" --name leadlag-thrift \
    --class org.apache.spark.sql.hive.thriftserver.HiveThriftServer2 spark-internal \
    --hiveconf hive.server2.thrift.bind.host=127.0.0.1 --hiveconf "hive.server2.thrift.port=$port"
  for number in 1 2; do
    wait_for "worker $number" worker$number grep -q 'Successfully registered with master' "$run/worker$number.log"
  done
  wait_for 'the Thrift server' thrift answers
  echo "spark: Thrift server on port $port, two workers ($master); data in $dir"
}

stop() {
  local name pid tries
  for name in $processes; do
    pid=$(pid_of "$name")
    is_running "$pid" || continue
    kill -- "-$pid" 2>/dev/null || true
    for tries in $(seq 60); do
      is_running "$pid" || break
      [ "$tries" -lt 60 ] || kill -KILL -- "-$pid" 2>/dev/null || true
      sleep 0.25
    done
  done
  rm -f "$run"/*.pid
}

status() {
  local name pid
  for name in $processes; do
    pid=$(pid_of "$name")
    if is_running "$pid"; then echo "spark: $name runs (process $pid)"; else echo "spark: $name does not run"; fi
  done
  if answers; then
    echo "spark: port $port answers"
  else
    echo "spark: nothing answers on port $port"
    return 1
  fi
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
run=$dir/server

case ${1:-} in
  start) start ;;
  stop)
    stop
    echo "spark: stopped"
    ;;
  status) status ;;
  java) java ;;
  *) fail "usage: scripts/spark.sh start|stop|status|java" ;;
esac
