import pg from 'pg';

const TRIGGER = `
  create function tell_end() returns trigger language plpgsql as $$ begin perform pg_notify('completed', new.id); return new; end $$;
  create trigger tell_end after update on durable_workflow_runs for each row
    when (new.status = 'completed' and old.status <> 'completed') execute function tell_end();`;

/** See `watch-ends.d.mts`. */
export async function watchEnds({ port, user, database }, onCompleted) {
  const client = new pg.Client({ host: '127.0.0.1', port, user, database });
  await client.connect();
  client.on('notification', ({ payload }) => onCompleted(payload));
  await client.query(TRIGGER);
  await client.query('listen completed');
}
