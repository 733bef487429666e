// Seals: a hash as a small picture.  The same as seals.py draws.

const SVG = "http://www.w3.org/2000/svg";

/** The SVG of 32 octets. */
export function seal(octets) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "seal");
  svg.setAttribute("viewBox", "0 0 40 40");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("fill", `hsl(${Math.floor((octets[0] * 360) / 256)} 55% 46%)`);
  for (let column = 0; column < 3; column++)
    for (let row = 0; row < 5; row++)
      if (octets[1 + column * 5 + row] & 1)
        for (const x of new Set([column, 4 - column])) {
          const square = document.createElementNS(SVG, "rect");
          for (const [name, value] of Object.entries({ x: x * 8, y: row * 8, width: 8, height: 8 }))
            square.setAttribute(name, value);
          svg.append(square);
        }
  return svg;
}
