// What happened to the connection, newest first.

const KEPT = 100

export class Timeline {
  #list

  constructor(list) {
    this.#list = list
  }

  add(text, { color = '', gap = '', bad = false } = {}) {
    const item = document.createElement('li')
    item.dataset.color = color
    item.classList.toggle('bad', bad)
    const time = document.createElement('time')
    const now = new Date()
    time.dateTime = now.toISOString()
    time.textContent = now.toLocaleTimeString([], { hour12: false })
    item.append(time, span('what', text), span('gap', gap))
    this.#list.prepend(item)
    if (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove()
  }
}

function span(name, text) {
  const node = document.createElement('span')
  node.className = name
  node.textContent = text
  return node
}
