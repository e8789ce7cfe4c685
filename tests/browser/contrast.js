(minimum) => {
  // Relative luminance and contrast as WCAG 2.2 defines them; every ground on the page is one opaque color.
  const parse = (color) => color.match(/[\d.]+/g).map(Number)
  const channel = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor)
      if (color.length === 3 || color[3] === 1) return color
    }
    return [255, 255, 255]
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const poor = []
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue
    const style = getComputedStyle(element)
    const ink = element instanceof SVGElement ? style.fill : style.color
    const contrast = ratio(luminance(parse(ink)), luminance(ground(element)))
    if (contrast < minimum) poor.push(`${contrast.toFixed(2)} for "${texts.currentNode.data.trim()}", ${ink}`)
  }
  return poor
}
