-- The tables of the steps. Those of the engine are made by its store when the app starts.

create table if not exists charges (
  -- The step's id. A second request under it is answered with the first one's charge.
  idempotency_key text primary key,
  charge_id text not null default 'ch_' || gen_random_uuid(),
  order_id text not null,
  amount_cents integer not null check (amount_cents > 0),
  -- How often the charge was asked for.
  requests integer not null default 1
);

create table if not exists ledger_entries (
  idempotency_key text primary key,
  order_id text not null,
  position integer not null,
  account text not null,
  amount_cents integer not null,
  unique (order_id, position)
);
