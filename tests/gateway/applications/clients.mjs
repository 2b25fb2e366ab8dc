// What clients and libraries of Node's do by their documentation: ioredis, node-redis, sessions of connect-redis,
// rate-limiter-flexible. Its argument is the address of a gateway; an assertion that does not hold ends it with 1.
import assert from 'node:assert/strict';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import Redis from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createClient } from 'redis';

const [host, port] = process.argv[2].split(':');
const url = `redis://${host}:${port}`;

async function ioredis() {
  const client = new Redis({ host, port: Number(port) });
  await client.flushdb();
  assert.equal(await client.set('a', '1', 'EX', 100), 'OK');
  assert.equal(await client.get('a'), '1');
  assert.deepEqual(await client.pipeline().incr('n').incr('n').get('n').exec(), [[null, 1], [null, 2], [null, '2']]);
  assert.deepEqual(await client.multi().incr('{m}1').incr('{m}2').exec(), [[null, 1], [null, 1]]);
  client.defineCommand('addAndGet', {
    numberOfKeys: 1,
    lua: "redis.call('INCRBY', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])",
  });
  assert.equal(await client.addAndGet('n', 5), '7');
  assert.equal(await client.addAndGet('n', 5), '12');

  const subscriber = client.duplicate();
  const heard = new Promise((resolve) => subscriber.on('message', (channel, message) => resolve([channel, message])));
  await subscriber.subscribe('news');
  assert.equal(await client.publish('news', 'hello'), 1);
  assert.deepEqual(await heard, ['news', 'hello']);

  const keys = new Set();
  for await (const page of client.scanStream({ match: '*', count: 2 })) page.forEach((key) => keys.add(key));
  assert.deepEqual([...keys].sort(), ['a', 'n', '{m}1', '{m}2'].sort());
  subscriber.disconnect();
  client.disconnect();
}

async function nodeRedis() {
  for (const RESP of [2, 3]) {
    const client = await createClient({ url, RESP }).connect();
    await client.flushDb();
    assert.equal(await client.set('a', '1', { EX: 10 }), 'OK');
    assert.equal(await client.get('a'), '1');
    assert.deepEqual(await client.multi().set('{t}a', '1').incr('{t}a').exec(), ['OK', 2]);
    assert.deepEqual(await client.eval('return {KEYS[1], ARGV[1]}', { keys: ['k'], arguments: ['v'] }), ['k', 'v']);
    const subscriber = await client.duplicate().connect();
    let hear;
    const heard = new Promise((resolve) => (hear = resolve));
    await subscriber.subscribe('news', hear);
    assert.equal(await client.publish('news', 'hello'), 1);
    assert.equal(await heard, 'hello');
    subscriber.destroy();
    client.destroy();
  }
}

async function sessions() {
  const client = await createClient({ url }).connect();
  await client.flushDb();
  const store = new RedisStore({ client, prefix: 'sess:' });
  const app = express();
  app.use(session({ store, secret: 'secret', resave: false, saveUninitialized: false }));
  app.get('/', (request, response) => {
    request.session.visits = (request.session.visits || 0) + 1;
    response.send(String(request.session.visits));
  });
  app.get('/out', (request, response) => request.session.destroy(() => response.send('out')));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const site = `http://127.0.0.1:${server.address().port}/`;
  const ask = (method) =>
    new Promise((resolve, reject) => store[method]((error, value) => (error ? reject(error) : resolve(value))));

  const first = await fetch(site);
  const headers = { cookie: first.headers.get('set-cookie').split(';')[0] };
  assert.equal(await first.text(), '1');
  assert.equal(await (await fetch(site, { headers })).text(), '2');
  assert.equal(await ask('length'), 1);
  assert.equal((await ask('all'))[0].visits, 2);
  assert.equal(await (await fetch(`${site}out`, { headers })).text(), 'out');
  assert.equal(await ask('length'), 0);
  server.close();
  server.closeAllConnections();
  client.destroy();
}

async function rateLimits() {
  const client = new Redis({ host, port: Number(port), enableOfflineQueue: false });
  await new Promise((resolve) => client.once('ready', resolve));
  await client.flushdb();
  const limiter = new RateLimiterRedis({ storeClient: client, points: 5, duration: 60 });
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => limiter.consume('ada')));
  assert.equal(asked.filter((one) => one.status === 'fulfilled').length, 5);
  const seen = await limiter.get('ada');
  assert.equal(seen.consumedPoints, 20);
  assert.ok(seen.msBeforeNext > 30_000 && seen.msBeforeNext <= 60_000, String(seen.msBeforeNext));
  await limiter.penalty('bob', 2);
  await limiter.reward('bob', 1);
  assert.equal((await limiter.get('bob')).consumedPoints, 1);
  await limiter.block('bob', 10);
  await assert.rejects(() => limiter.consume('bob'));
  assert.equal(await limiter.delete('ada'), true);
  client.disconnect();
}

for (const test of [ioredis, nodeRedis, sessions, rateLimits]) {
  await test();
  console.log(`${test.name}: ok`);
}
