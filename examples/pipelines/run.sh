#!/usr/bin/env bash
# One scheduled run of a leadlag project: source freshness, publishing (audit of the raw tables, build apart, audit of the
# marts, and only then do they replace the published ones), health of the sources, predictions, alerts. Cron, systemd,
# GitHub Actions and Airflow all call this script.
#
# usage: run.sh [--project-dir DIR] [--in-place | --steps LIST] [--strict] [-h]
#   --project-dir DIR  the dbt project: this checkout (default), or one that installs the package
#   --in-place         steps audit (of the raw tables) and build (into the published schemas) instead of publish, which
#                      works on DuckDB files and PostgreSQL; audit does, too
#   --steps LIST       some of freshness,publish,health,predictions,alerts (default all), or of
#                      freshness,audit,build,health,predictions,alerts; carried out in this order
#   --strict           what a run otherwise lives with ends it: stale sources, sources that source_health calls failed, and
#                      a machine without `leadlag publish`, on which the build would replace the marts unaudited
#
# Exit codes: 0 done; 1 a step failed, later ones were not started (after a failed publish the marts are as they were);
# 2 the call or the machine is wrong; 75 another run has the lock, nothing was done.
# Settings of the profile (LEADLAG_TARGET, LEADLAG_DUCKDB_PATH, ...) and of dbt (DBT_PROFILES_DIR, ...) come from the
# environment. LEADLAG_LOCK_FILE: where runs on the same warehouse from several folders meet.
set -euo pipefail

readonly DONE=0 FAILED=1 USAGE=2 BUSY=75
readonly ALL_STEPS="freshness publish audit build health predictions alerts"
readonly PUBLISHING="freshness publish health predictions alerts"
readonly IN_PLACE="freshness audit build health predictions alerts"

project_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
steps=""
in_place=false
strict=false

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) leadlag: $*"; }
wrong() { say "$*" >&2; exit "$USAGE"; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

while (($#)); do
  case "$1" in
    --project-dir) project_dir="${2:?--project-dir needs a folder}"; shift 2 ;;
    --steps) steps="${2:?--steps needs a list}"; steps="${steps//,/ }"; shift 2 ;;
    --in-place) in_place=true; shift ;;
    --strict) strict=true; shift ;;
    -h | --help) usage; exit "$DONE" ;;
    *) wrong "unknown option $1; see --help" ;;
  esac
done
if "$in_place"; then
  [[ -z "$steps" ]] || wrong "--in-place stands for --steps ${IN_PLACE// /,}; give one of the two"
  steps="$IN_PLACE"
fi
steps="${steps:-$PUBLISHING}"
for step in $steps; do
  [[ " $ALL_STEPS " == *" $step "* ]] || wrong "unknown step $step; there are: $ALL_STEPS"
done
if [[ " $steps " == *" publish "* && (" $steps " == *" audit "* || " $steps " == *" build "*) ]]; then
  wrong "step publish audits and builds itself: leave out audit and build, or publish"
fi
[[ -f "$project_dir/dbt_project.yml" ]] || wrong "no dbt_project.yml in $project_dir"
cd "$project_dir"

# Schedulers start with an empty environment: the project's own, if it has one.
[[ -d .venv/bin ]] && PATH="$PWD/.venv/bin:$PATH"
command -v dbt >/dev/null || wrong "no dbt on PATH and no .venv in $project_dir: run make setup"
command -v flock >/dev/null || wrong "no flock on PATH (package util-linux)"

target_path="${DBT_TARGET_PATH:-target}"
log_path="${DBT_LOG_PATH:-logs}"
lock_file="${LEADLAG_LOCK_FILE:-$log_path/scheduled_run.lock}"
mkdir -p "$(dirname "$lock_file")"
exec 9>"$lock_file"
if ! flock --nonblock 9; then
  say "another run has the lock ($lock_file); nothing was done" >&2
  exit "$BUSY"
fi

# Descriptor 9 is left open for what is called: when this script is killed, a dbt that still runs keeps the lock.
dbt_() { dbt --no-use-colors "$@"; }
# Predictions and alerts are there once the companion has the command.
has_command() { command -v leadlag >/dev/null && leadlag --help | grep -E "^  $1 " >/dev/null; }
companion() {
  if ! has_command "$1"; then
    say "skipped: this version has no \`leadlag $1\`"
    return 0
  fi
  leadlag "$@"
}

step_freshness() {
  dbt_ source freshness && return 0
  "$strict" && return 1
  say "freshness: sources are stale or cannot be asked, see above; the run goes on (--strict stops it)"
}
step_publish() {
  if ! has_command publish; then
    say "publish: no \`leadlag publish\` on this machine, so nothing can be audited before the marts are replaced"
    "$strict" && return 1
    say "publish: builds in place instead (--strict stops here)"
    step_build
    return
  fi
  local code=0
  DBT_USE_COLORS=false leadlag publish --quiet || code=$?
  if ((code == 2)); then
    say "publish: not possible here, see above; where it never is, --in-place builds into the published schemas"
  fi
  return "$code"
}
step_audit() { companion audit --suite raw; }
step_build() {
  # dbt retry repeats what the last results say: those of an earlier run must not pass for this one's.
  rm -f "$target_path/run_results.json"
  dbt_ build && return 0
  if [[ ! -f "$target_path/run_results.json" ]]; then
    say "build: dbt stopped before the first model; a retry would change nothing"
    return 1
  fi
  say "build: failed; one retry of what failed and was skipped"
  dbt_ retry
}
step_health() { dbt_ run-operation leadlag.report_health --args "{fail: $strict}"; }
step_predictions() { companion forecast --quiet && companion calibrate --quiet && companion score --quiet; }
step_alerts() { companion alert; }

for step in $ALL_STEPS; do
  [[ " $steps " == *" $step "* ]] || continue
  say "$step: begins"
  code=0
  "step_$step" || code=$?
  if ((code)); then
    say "$step: failed (code $code); later steps are not started" >&2
    exit "$FAILED"
  fi
  say "$step: done"
done
say "run done"
