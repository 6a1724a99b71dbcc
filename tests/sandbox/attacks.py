"""Statements that must do no harm, by what they are after. FILE is one with a secret in it, OUT one that is not there."""

SECRET = "canary-7f3a9c51"

FILES = """
select * from read_csv('FILE')
select * from read_csv_auto('FILE', header = false)
select * from read_text('FILE')
select content from read_blob('FILE')
select * from read_json('FILE', format = 'auto')
select * from read_json_objects('FILE')
select * from read_ndjson('FILE')
select * from read_parquet('FILE')
select * from parquet_scan(['FILE'])
select * from parquet_metadata('FILE')
select * from parquet_file_metadata('FILE')
select * from parquet_kv_metadata('FILE')
select * from parquet_schema('FILE')
select * from parquet_bloom_probe('FILE', 'a', 1)
select * from sniff_csv('FILE')
select * from glob('/etc/*')
select * from read_duckdb('FILE')
select * from 'FILE'
select * from "FILE"
from 'file://FILE'
select * from 'accounts/*.csv'
select * from '../accounts/kept.csv'
select (select content from read_text('FILE'))
with x as (select * from read_text('FILE')) select * from x
select * from quotes, lateral (select * from read_text('FILE'))
select * from quotes where symbol in (select content from read_text('FILE'))
select * from query('select * from read_text(''FILE'')')
select * from query_table('FILE')
select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''FILE'')'))
select * from read_text('/proc/self/environ')
select * from read_text('/proc/' || 1 || '/environ')
select * from '/proc/self/environ'
select * from read_blob('/proc/self/maps')
select * from read_text('/etc/passwd')
describe select * from 'FILE'
summarize 'FILE'
select * from with_symbol('FILE')
table "FILE"
"""
WRITES = """
copy (select 1) to 'OUT'
copy quotes to 'OUT' (format parquet)
copy (select 1) to 'OUT' (format json)
copy (select 1) to 'FILE' (use_tmp_file false)
with x as (copy (select 1) to 'OUT') select * from x
with x as (copy (select 1) to 'OUT') select 1
export database 'OUT'
create table t as select 1
create view v as select 1
create or replace view quotes as select 1
create temp table t as select 1
insert into quotes values (1)
update quotes set bid = 0
delete from quotes
with x as (delete from quotes returning *) select * from x
with x as (insert into quotes select 1 returning *) select * from x
with x as (update quotes set bid = 0 returning *) from x
drop view quotes
alter table quotes add column x int
create macro abs(x) as 1
create function f(x) as x
create type mood as enum ('a')
create sequence s
create schema s
create index i on quotes (bid)
create secret (type s3, key_id 'a', secret 'b')
comment on view quotes is 'x'
truncate quotes
merge into quotes using fills on true when matched then delete
checkpoint
vacuum
"""
OTHERS = """
attach 'OUT' as other
attach 'FILE' (type sqlite)
attach ':memory:' as other
detach memory
use memory
import database 'OUT'
copy quotes from 'FILE'
install httpfs
force install spatial from community
load httpfs
load '/tmp/evil.duckdb_extension'
select * from read_csv('http://127.0.0.1:1/x')
select * from 'https://127.0.0.1:1/x.parquet'
select * from read_parquet('s3://bucket/x')
attach 'http://127.0.0.1:1/x.db' as web
connect 'other'
set memory_limit = '64GB'
set threads = 64
set enable_external_access = true
set lock_configuration = false
set home_directory = '/'
set variable x = 1
set global max_execution_time = 0
reset memory_limit
pragma enable_profiling
pragma database_list
pragma table_info('quotes')
pragma version
call enable_logging()
call enable_profiling()
call pragma_version()
call duckdb_settings()
select * from duckdb_settings()
select * from duckdb_secrets()
select * from duckdb_logs
select * from duckdb_variables()
select * from duckdb_extensions()
select * from duckdb_tables
select * from information_schema.tables
select * from pg_catalog.pg_class
select * from sqlite_master
select * from pragma_table_info('quotes')
select * from test_all_types()
select current_setting('memory_limit')
select getvariable('instrument_symbol_0')
select getenv('TAPE_TEST_KEY')
select * from arrow_scan(1, 2, 3)
select * from pandas_scan(1)
select * from python_map_function(1)
select * from secret_frame
select * from home
select write_log('x')
select nextval('s')
select list_aggregate([1], 'sum')
select * from quotes at (version => 1)
prepare p as select 1
execute p
deallocate p
explain select 1
explain analyze select * from quotes
begin
commit
pivot quotes on symbol using count(*)
pivot_wider quotes on symbol using count(*)
unpivot quotes on bid, ask into name side value price
select * from quotes pivot (count(*) for symbol in ('ABCD'))
show tables
show all tables
describe quotes
summarize quotes
select $1
select ?
select $name
select 1; select 2
select 1; copy (select 1) to 'OUT'
with duckdb_settings as (select * from duckdb_settings) select * from duckdb_settings
with a as (select * from b), b as (select 1) select * from a
with "FILE" as (select 1) select * from "FILE"
select (with quiet as (select 1) select 1), * from quiet
select 1 union all select * from read_text('FILE')
select * from (values (1)) v, read_text('FILE')
select case when true then (select content from read_text('FILE')) end
select list_transform([1], lambda x: (select content from read_text('FILE')))
select x.abs(1) from quotes
select system.main.read_text('FILE')
select * from system.main.read_text('FILE')
select cast(1 as other.type)
select 'a'::"FILE"
select sleep_ms(60000)
select pg_sleep(60)
"""


def attacks(texts, file, out):
    """The statements, with these files in them."""
    return [line.replace("FILE", str(file)).replace("OUT", str(out)) for line in texts.strip().splitlines()]
