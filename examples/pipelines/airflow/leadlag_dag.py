"""leadlag every night, one task a step. Plain operators: Airflow needs neither dbt nor this project in its own environment."""

import os
from datetime import datetime, timedelta
from itertools import pairwise

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow before 3
    from airflow.operators.bash import BashOperator

LEADLAG_HOME = os.environ.get("LEADLAG_HOME", "/opt/leadlag")
STEPS = ["freshness", "publish", "health", "predictions", "alerts"]

with DAG(
    dag_id="leadlag",
    schedule="15 4 * * *",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    # The script's lock refuses a second run; this keeps Airflow from starting one.
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=4)},
    tags=["leadlag"],
) as dag:
    tasks = [
        BashOperator(
            task_id=step,
            # The trailing space keeps Airflow from looking for a template file that ends in .sh.
            bash_command=f"{LEADLAG_HOME}/examples/pipelines/run.sh --steps {step} ",
            append_env=True,
            # Another run has the lock: skipped, not failed.
            skip_on_exit_code=75,
        )
        for step in STEPS
    ]
    for earlier, later in pairwise(tasks):
        earlier >> later
