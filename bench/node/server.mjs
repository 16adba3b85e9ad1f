// The peer: Node's Socket.IO as its documentation recommends it for speed (WebSocket transport, bufferutil, no
// compression), a room for each conversation, and one HTTP route that sends. With DATABASE_URL a message is one durable
// row, with its number from the conversation's counter, before anybody hears of it; with REDIS_URL rooms span processes.
//
//   node server.mjs PORT EVENT_BYTES
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import pg from 'pg'
import { createClient } from 'redis'
import { Server } from 'socket.io'

const [port, eventBytes] = process.argv.slice(2).map(Number)
const pool = process.env.DATABASE_URL
  ? new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 })
  : null
const numbers = new Map()

const http = createServer(async (request, response) => {
  try {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = JSON.parse(Buffer.concat(chunks))
    const room = request.url.split('/')[3]
    const answer = JSON.stringify({ position: await send(room, body) })
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': answer.length })
    response.end(answer)
  } catch (error) {
    const answer = String(error)
    response.writeHead(500, { 'content-length': Buffer.byteLength(answer) })
    response.end(answer)
  }
})
http.keepAliveTimeout = 60_000

const io = new Server(http, { transports: ['websocket'], serveClient: false, perMessageDeflate: false })
if (process.env.REDIS_URL) {
  const publisher = createClient({ url: process.env.REDIS_URL })
  const subscriber = publisher.duplicate()
  await Promise.all([publisher.connect(), subscriber.connect()])
  io.adapter(createAdapter(publisher, subscriber))
}

io.on('connection', (socket) => {
  socket.on('command', ({ id, conversation_id: room }) => {
    socket.join(room)
    const head = { number: numbers.get(room) ?? 0 }
    socket.emit('answer', { type: 'answer', id, ok: true, data: { head } })
  })
  socket.emit('answer', { type: 'answer', id: 0, ok: true, data: {} })
})

async function send(room, { client_id, text }) {
  const number = pool ? await store(room, client_id, text) : (numbers.get(room) ?? 0) + 1
  numbers.set(room, Math.max(number, numbers.get(room) ?? 0))
  const message = { id: client_id, conversation_id: room, number, text, filler: '' }
  const event = { type: 'event', number, stream: room, kind: 'message.created', data: { message } }
  message.filler = 'x'.repeat(Math.max(0, eventBytes - JSON.stringify(event).length))
  io.to(room).emit('event', event)
  return number
}

async function store(room, client_id, text) {
  const { rows } = await pool.query({
    name: 'send',
    text: `WITH room AS (UPDATE node_room SET head = head + 1 WHERE id = $1 RETURNING id, head)
      INSERT INTO node_message (room_id, number, client_id, text, created_at)
      SELECT id, head, $2, $3, now() FROM room RETURNING number`,
    values: [room, client_id, text],
  })
  return rows[0].number
}

http.listen(port, '127.0.0.1', 1024, () => console.log('ready'))
