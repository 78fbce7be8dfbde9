/**
 * The statements of each version of the tables, the oldest first, for people whose database is changed by others.
 * `Database.migrate` runs those that are missing.
 *
 * Guarantees: a version is never changed after its release, and adds only, within a major version of the package. So
 * processes of the old and the new version run side by side. No functions, no triggers, no extensions.
 *
 * @param schema - the schema of the tables @defaultValue "cqrx"
 */
export function migrations(schema = "cqrx"): readonly string[] {
  return [
    `create table ${schema}.events (
  id bigint generated always as identity primary key,
  position bigint,
  stream text,
  version integer,
  message_id text not null unique,
  name text not null,
  envelope json not null
);
create unique index events_position on ${schema}.events (position) where position is not null;
create unique index events_version on ${schema}.events (stream, version) where stream is not null;
create index events_unplaced on ${schema}.events (id) where position is null;
create table ${schema}.checkpoints (
  name text primary key,
  position bigint not null
);
insert into ${schema}.checkpoints (name, position) values ('$log', 0);
create table ${schema}.skipped (
  feed text not null,
  position bigint not null,
  error text not null,
  skipped_at timestamptz not null default now(),
  primary key (feed, position)
);
create table ${schema}.commands (
  id bigint generated always as identity primary key,
  message_id text not null unique,
  name text not null,
  key text,
  envelope json not null,
  due_at timestamptz not null,
  attempt integer not null default 0,
  running boolean not null default false,
  failed_at timestamptz,
  error text
);
create index commands_due on ${schema}.commands (due_at, id) where failed_at is null;
create index commands_key on ${schema}.commands (key, id) where key is not null and failed_at is null;
create unique index commands_begun on ${schema}.commands (key)
  where key is not null and failed_at is null and attempt > 0;
create index commands_running on ${schema}.commands (due_at) where running and failed_at is null;
create index commands_failed on ${schema}.commands (failed_at) where failed_at is not null;
create table ${schema}.inbox (
  key text primary key,
  seen_at timestamptz not null default now()
);
create index inbox_seen on ${schema}.inbox (seen_at);
create table ${schema}.entries (
  key text primary key,
  value json not null,
  stored_at timestamptz not null default now(),
  expires_at timestamptz
);
create index entries_stored on ${schema}.entries (stored_at);`,
  ];
}

/** Creates the schema and the list of the versions that it has. */
export function firstStatements(schema: string): string {
  return `create schema if not exists ${schema};
create table if not exists ${schema}.migrations (
  version integer primary key,
  applied_at timestamptz not null default now()
);`;
}
