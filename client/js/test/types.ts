// Compiled by `make lint`, never run: what baton.d.ts says, used as a program would use it.

import { Baton, BatonEventMap, SocketLike } from '../baton'

class Socket implements SocketLike {
  onmessage: ((event: any) => void) | null = null
  onclose: ((event: any) => void) | null = null
  constructor(readonly url: string, readonly protocol: string) {}
  send(data: string) {}
  close(code?: number) {}
}

const baton = new Baton(new URL('wss://example.com/ws/chat/'), { sessionId: null, storage: null, minDelay: 1, WebSocket: Socket })
new Baton('/ws/chat/', { storage: sessionStorage })
baton.addEventListener('open', ({ color, resumed, gap }): [string, boolean, number] => [color, resumed, gap])
baton.addEventListener('ack', (event) => event.count + event.ms + event.data.length)
baton.onretry = ({ code, delay, status }) => code + delay + (status ?? 0)
baton.onreset = ({ expected, count }) => expected - count
baton.onclose = ({ pending }) => pending.join()
baton.send('text')
const state: 0 | 1 | 3 = baton.readyState
const kinds: (keyof BatonEventMap)[] = ['open', 'resume', 'ack', 'message', 'retry', 'reset', 'close']
baton.close()

// @ts-expect-error: text only
baton.send(new Uint8Array(1))
// @ts-expect-error: they are read
baton.count = 1
// @ts-expect-error: there is no such event
baton.onfoo = () => {}

export { state, kinds }
