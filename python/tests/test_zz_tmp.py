from test_oracle import *
import test_oracle
def test_x(run_dbt,tmp_path):
    plan=PLANS[2]
    project=ContractBuild(run_dbt,tmp_path)
    b=Batch(plan,project,tmp_path/'x'/'leadlag.duckdb')
    v={"own_policies":True,"as_of":plan.as_of.isoformat(sep=" "),"business_timezone":plan.business_timezone}
    r=run_dbt(["build","--exclude-resource-type","unit_test"],duckdb_path=tmp_path/'x'/'leadlag.duckdb',project_dir=project.project_dir,variables=v,may_fail=True)
    from collections import Counter
    print(Counter(r.status.values()))
    for k,m in r.messages.items(): print(k,'|',r.status.get(k),'|',m[:300])
