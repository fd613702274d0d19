// The viewer. Arrays of the PET are [k, j, i] and positions LPS in mm, as everywhere in petquant; pictures are
// [z, y, x] towards head, front and right. NiiVue draws pictures; places and values come from here alone.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const { pet, picture } = facts;
  const at = (id) => document.getElementById(id);
  // Okabe and Ito's colours that can be told apart with any colour vision, on black and on white
  const COLOURS = ["#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#f0e442", "#0072b2", "#d55e00"];
  const BACKGROUND = "#ffffff", CASING = "#000b"; // backgrounds are dashed
  const BARS_MM = [200, 100, 50, 20, 10, 5]; // lengths of a scale bar, of which it takes a quarter of a plane at most
  const NONE = 0, PAN = 3; // NiiVue's drag modes
  const GAP_PX = 14; // around the middle of the crosshair, so that it hides nothing
  const ARRAYS = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
    uint32: Uint32Array, float32: Float32Array, float64: Float64Array };
  const MAPS = {
    pq_hot: { R: [0, 255, 255, 255], G: [0, 0, 255, 255], B: [0, 0, 0, 255], I: [0, 95, 191, 255] },
    pq_inferno: { R: [0, 87, 188, 249, 252], G: [0, 16, 55, 142, 255], B: [4, 110, 84, 9, 164], I: [0, 64, 128, 192, 255] },
    pq_grey: { R: [255, 0], G: [255, 0], B: [255, 0], I: [0, 255] },
  };
  const FULL = 0.5; // of the window: in a fusion the PET is clear at its lower end, and from here on as the slider says
  const SEEN = ["L", "P", "H"], UNSEEN = ["R", "A", "F"]; // ends of x, y, z in LPS
  const ENDS = [["L", "R"], ["P", "A"], ["F", "H"]]; // of the axes of a picture, where its fraction is 0 and 1

  const state = { mode: facts.ct ? "fusion" : "pet", lower: 0, upper: facts.upper, colours: { fusion: "pq_hot", pet: "pq_grey" },
    opacity: 0.7, level: 40, width: 400, chosen: -1, hidden: new Set() };
  let numbers, shown, hu, regions, nv, petImage, ctImage;

  async function unpacked(id) {
    const block = at(id);
    let packed;
    if (block.dataset.place) {
      const answer = await fetch(block.dataset.place);
      if (!answer.ok) throw new Error(`the server does not give ${id} any more (${answer.status})`);
      packed = new Uint8Array(await answer.arrayBuffer());
    } else {
      const text = atob(block.textContent.trim());
      packed = new Uint8Array(text.length);
      for (let n = 0; n < text.length; n++) packed[n] = text.charCodeAt(n);
      block.textContent = "";
    }
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  // --- places -------------------------------------------------------------------------------------------------

  // Per axis of the picture (x, y, z): how many planes, and the index of the PET that each shows.
  const along = [0, 1, 2].map((n) => {
    const axis = picture.axes[n];
    const index = axis === 0 ? picture.slices.slice() : Array.from({ length: pet.shape[axis] }, (_, m) => m);
    if (picture.reversed[n]) index.reverse();
    const low = new Map(), high = new Map();
    index.forEach((m, plane) => {
      if (!low.has(m)) low.set(m, plane / index.length);
      high.set(m, (plane + 1) / index.length);
    });
    return { axis, index, low, high, step: axis === 0 ? picture.step_mm : pet.spacing_mm[axis] };
  });

  const planeOf = (fraction, n) => Math.min(Math.max(Math.floor(fraction * along[n].index.length), 0), along[n].index.length - 1);

  function voxelAt(fractions) {
    const kji = [0, 0, 0];
    along.forEach((line, n) => { kji[line.axis] = line.index[planeOf(fractions[n], n)]; });
    return kji;
  }

  function fractionsOf(kji) {
    return along.map((line) => (line.low.get(kji[line.axis]) + line.high.get(kji[line.axis])) / 2);
  }

  function positionOf([k, j, i]) {
    const m = pet.affine;
    const along_k = pet.positions_mm ? pet.positions_mm[k] / pet.spacing_mm[0] : k;
    return [0, 1, 2].map((row) => m[row][0] * along_k + m[row][1] * j + m[row][2] * i + m[row][3]);
  }

  const flat = ([k, j, i]) => (k * pet.shape[1] + j) * pet.shape[2] + i;
  const valueAt = (kji) => pet.slope[kji[0]] * numbers[flat(kji)] + pet.intercept[kji[0]];

  function huAt(fractions) {
    if (!hu) return null;
    const split = facts.ct.split, n = [0, 0, 0];
    along.forEach((line, a) => {
      const count = line.index.length * (line.axis === 0 ? 1 : split);
      n[a] = Math.min(Math.max(Math.floor(fractions[a] * count), 0), count - 1);
    });
    const value = hu.values[(n[2] * hu.shape[1] + n[1]) * hu.shape[2] + n[0]];
    return value === facts.ct.outside ? null : value;
  }

  // --- regions ------------------------------------------------------------------------------------------------

  function readRegions(runs) {
    let next = 0;
    const [, nj, ni] = pet.shape;
    return facts.regions.map((region, number) => {
      const from = next;
      next += region.n_runs;
      const low = [Infinity, Infinity, Infinity], high = [-1, -1, -1];
      const each = (act) => {
        for (let r = from; r < next; r++) {
          for (let v = runs[2 * r]; v < runs[2 * r] + runs[2 * r + 1]; v++) {
            act([Math.floor(v / (nj * ni)), Math.floor(v / ni) % nj, v % ni]);
          }
        }
      };
      each((kji) => kji.forEach((m, axis) => { low[axis] = Math.min(low[axis], m); high[axis] = Math.max(high[axis], m); }));
      const size = low.map((m, axis) => Math.max(high[axis] - m + 1, 0));
      const mask = new Uint8Array(size[0] * size[1] * size[2]);
      each(([k, j, i]) => { mask[((k - low[0]) * size[1] + j - low[1]) * size[2] + i - low[2]] = 1; });
      const holds = (kji) => {
        const [k, j, i] = kji.map((m, axis) => m - low[axis]);
        if (k < 0 || j < 0 || i < 0 || k >= size[0] || j >= size[1] || i >= size[2]) return false;
        return mask[(k * size[1] + j) * size[2] + i] === 1;
      };
      return { ...region, low, high, holds, colour: region.kind === "background" ? BACKGROUND : COLOURS[number % COLOURS.length] };
    });
  }

  // --- words --------------------------------------------------------------------------------------------------

  function figures(value) {
    const size = Math.abs(value);
    return size >= 1000 ? value.toFixed(1) : size >= 1 || size === 0 ? value.toFixed(3) : Number(value.toPrecision(4)).toString();
  }

  function say(target, lead, fractions) {
    const kji = voxelAt(fractions), mm = positionOf(kji), value = valueAt(kji), ct = huAt(fractions);
    const place = mm.map((x, n) => `${x < 0 ? UNSEEN[n] : SEEN[n]} ${Math.abs(x).toFixed(1)}`).join(" ");
    const inside = regions.filter((region) => region.holds(kji)).map((region) => region.name);
    const strong = document.createElement("b");
    strong.textContent = `${facts.is_suv ? "SUV " : ""}${figures(value)} ${facts.unit}`;
    const words = [` at ${place} mm, voxel k j i ${kji.join(" ")}`];
    if (inside.length) words.push(`region ${inside.join(", ")}`);
    if (facts.ct) words.push(ct === null ? "outside the CT" : `CT ${ct} HU`);
    target.replaceChildren(`${lead} `, strong, words.join(", "));
    Object.assign(target.dataset, { value: String(value), voxel: kji.join(" "), mm: mm.join(" "),
      regions: JSON.stringify(inside), hu: ct === null ? "" : String(ct) });
  }

  // --- pictures -----------------------------------------------------------------------------------------------

  // Values of [slice, row, column] turned into a picture [z, y, x]; slices of the PET are picked by the picture.
  function turned(shape, lines, target, value) {
    const strides = [shape[1] * shape[2], shape[2], 1];
    const offsets = lines.map((line) => Int32Array.from(line.index, (m) => m * strides[line.axis]));
    const [xs, ys, zs] = offsets;
    const slices = lines.findIndex((line) => line.axis === 0);
    let n = 0;
    for (let z = 0; z < zs.length; z++) {
      for (let y = 0; y < ys.length; y++) {
        for (let x = 0; x < xs.length; x++) {
          const k = lines[slices].index[slices === 2 ? z : slices === 1 ? y : x];
          target[n++] = value(zs[z] + ys[y] + xs[x], k);
        }
      }
    }
    return { values: target, shape: [zs.length, ys.length, xs.length] };
  }

  function ctLines() {
    const split = facts.ct.split;
    return along.map((line, n) => {
      const count = line.index.length * (line.axis === 0 ? 1 : split);
      const index = Array.from({ length: count }, (_, m) => m);
      if (picture.reversed[n]) index.reverse();
      return { axis: line.axis, index, step: line.step / (line.axis === 0 ? 1 : split) };
    });
  }

  // The PET on the voxels of the CT picture, on straight lines between its own or by the nearest: NiiVue brings an
  // overlay onto the picture below by the nearest voxel.
  function split({ values, shape }, isSmooth) {
    const size = ctLines().map((line) => line.index.length).reverse();
    const [near, far, part] = [[], [], []];
    shape.forEach((n, a) => {
      const at = Float32Array.from({ length: size[a] }, (_, m) => Math.min(Math.max(((m + 0.5) * n) / size[a] - 0.5, 0), n - 1));
      near[a] = Int32Array.from(at, isSmooth ? Math.floor : Math.round);
      far[a] = near[a].map((m) => Math.min(m + 1, n - 1));
      part[a] = isSmooth ? at.map((x, m) => x - near[a][m]) : new Float32Array(size[a]);
    });
    const target = new Float32Array(size[0] * size[1] * size[2]), [, ny, nx] = shape;
    const along_x = (z, y, x) => {
      const row = (z * ny + y) * nx, f = part[2][x];
      return f ? values[row + near[2][x]] * (1 - f) + values[row + far[2][x]] * f : values[row + near[2][x]];
    };
    const along_y = (z, y, x) => {
      const f = part[1][y];
      return f ? along_x(z, near[1][y], x) * (1 - f) + along_x(z, far[1][y], x) * f : along_x(z, near[1][y], x);
    };
    let n = 0;
    for (let z = 0; z < size[0]; z++) {
      const f = part[0][z];
      for (let y = 0; y < size[1]; y++) {
        for (let x = 0; x < size[2]; x++) {
          target[n++] = f ? along_y(near[0][z], y, x) * (1 - f) + along_y(far[0][z], y, x) * f : along_y(near[0][z], y, x);
        }
      }
    }
    return { values: target, shape: size };
  }

  // NIfTI-1 whose box begins at 0: PET and CT cover the same box.
  function nifti({ values, shape }, steps) {
    const header = new DataView(new ArrayBuffer(352));
    const isFloat = values instanceof Float32Array;
    header.setInt32(0, 348, true);
    [3, shape[2], shape[1], shape[0], 1, 1, 1, 1].forEach((n, m) => header.setInt16(40 + 2 * m, n, true));
    header.setInt16(70, isFloat ? 16 : 4, true);
    header.setInt16(72, isFloat ? 32 : 16, true);
    [1, ...steps, 0, 0, 0, 0].forEach((mm, m) => header.setFloat32(76 + 4 * m, mm, true));
    header.setFloat32(108, 352, true);
    header.setFloat32(112, 1, true);
    header.setUint8(123, 2);
    header.setInt16(254, 1, true);
    steps.forEach((mm, row) => {
      header.setFloat32(280 + 16 * row + 4 * row, mm, true);
      header.setFloat32(280 + 16 * row + 12, mm / 2, true);
    });
    [0x6e, 0x2b, 0x31, 0].forEach((byte, m) => header.setUint8(344 + m, byte));
    const whole = new Uint8Array(352 + values.byteLength);
    whole.set(new Uint8Array(header.buffer));
    whole.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 352);
    return whole.buffer;
  }

  function colourAt(name, x) {
    const { R, G, B, I } = MAPS[name];
    const n = Math.max(I.findIndex((knot) => knot >= x), 1), part = (x - I[n - 1]) / (I[n] - I[n - 1]);
    return [R, G, B].map((band) => Math.round(band[n - 1] + part * (band[n] - band[n - 1])));
  }

  function drawBar(name) {
    const canvas = at("bar"), ink = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; x++) {
      ink.fillStyle = `rgb(${colourAt(name, (255 * x) / (canvas.width - 1)).join(" ")})`;
      ink.fillRect(x, 0, 1, canvas.height);
    }
  }

  function show() {
    const { mode } = state;
    const name = state.colours[mode === "ct" ? "fusion" : mode];
    petImage.colormap = name;
    petImage.opacity = mode === "ct" ? 0 : 1;
    // NiiVue lets the opacity grow with (value / cal_min)^2 up to cal_min, on a scale that begins at 0
    const isFusion = mode === "fusion";
    petImage.colormapType = isFusion ? 1 : 0;
    petImage.hdr.scl_inter = isFusion ? -state.lower : 0;
    petImage.cal_min = isFusion ? FULL * (state.upper - state.lower) : state.lower;
    petImage.cal_max = isFusion ? state.upper - state.lower : state.upper;
    nv.overlayAlphaShader = isFusion ? state.opacity : 1;
    if (ctImage) {
      ctImage.cal_min = state.level - state.width / 2;
      ctImage.cal_max = state.level + state.width / 2;
    }
    nv.updateGLVolume();
    drawMip();
    drawBar(name);
    press("modes", (button) => button.dataset.mode === mode);
    press("windows", (button) => state.lower === 0 && (button.dataset.upper === "auto" ? facts.auto_upper : Number(button.dataset.upper)) === state.upper);
    press("ct-windows", (button) => Number(button.dataset.level) === state.level && Number(button.dataset.width) === state.width);
    at("lower").value = String(state.lower);
    at("upper").value = String(state.upper);
    at("colours").value = name;
    at("colours").disabled = mode === "ct";
    if (at("opacity")) at("opacity").disabled = mode !== "fusion";
  }

  function press(id, isPressed) {
    at(id)?.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(isPressed(button))));
  }

  // --- the projection -----------------------------------------------------------------------------------------

  let mip;
  function projected({ values, shape: [nz, ny, nx] }) {
    const largest = new Float32Array(nz * nx), depth = new Int32Array(nz * nx);
    for (let z = 0; z < nz; z++) {
      for (let x = 0; x < nx; x++) {
        let best = -Infinity, from = 0;
        for (let y = 0; y < ny; y++) {
          const value = values[(z * ny + y) * nx + x];
          if (value > best) { best = value; from = y; }
        }
        largest[z * nx + x] = best;
        depth[z * nx + x] = from;
      }
    }
    return { largest, depth, nz, nx };
  }

  function drawMip() {
    const canvas = at("mip"), { largest, nz, nx } = mip;
    const small = new OffscreenCanvas(nx, nz), pixels = new ImageData(nx, nz);
    for (let z = 0; z < nz; z++) {
      for (let x = 0; x < nx; x++) { // the head is up, the patient's right on the left
        const level = (largest[z * nx + x] - state.lower) / (state.upper - state.lower);
        const grey = 255 * (1 - Math.min(Math.max(level, 0), 1));
        const to = 4 * ((nz - 1 - z) * nx + nx - 1 - x);
        pixels.data[to] = pixels.data[to + 1] = pixels.data[to + 2] = grey;
        pixels.data[to + 3] = 255;
      }
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    const width = nx * along[0].step, height = nz * along[2].step;
    const scale = Math.min(4, 1200 / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const ink = canvas.getContext("2d");
    ink.imageSmoothingEnabled = at("smooth").checked;
    ink.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (at("crosshair").checked) {
      const [x, , z] = nv.scene.crosshairPos;
      ink.strokeStyle = "#d55e00";
      ink.lineWidth = 2;
      ink.beginPath();
      ink.moveTo((1 - x) * canvas.width, 0);
      ink.lineTo((1 - x) * canvas.width, canvas.height);
      ink.moveTo(0, (1 - z) * canvas.height);
      ink.lineTo(canvas.width, (1 - z) * canvas.height);
      ink.stroke();
    }
    const longest = Math.max(canvas.width, canvas.height);
    if (at("outlines").checked) {
      regions.forEach((region, number) => {
        if (!region.place || state.hidden.has(number)) return;
        const [x, , z] = fractionsOf(region.place);
        const circle = new Path2D(), wide = longest / (number === state.chosen ? 240 : 400);
        circle.arc((1 - x) * canvas.width, (1 - z) * canvas.height, longest / 45, 0, 2 * Math.PI);
        stroked(ink, circle, region, wide, 1.8 * wide);
      });
    }
    ink.fillStyle = "#333";
    ink.font = `${Math.round(longest / 28)}px sans-serif`;
    ink.fillText("R", 6, canvas.height / 2);
    ink.fillText("L", canvas.width - longest / 28, canvas.height / 2);
  }

  function goByMip(event) {
    const canvas = at("mip"), box = canvas.getBoundingClientRect();
    const scale = Math.min(box.width / canvas.width, box.height / canvas.height); // object-fit: contain
    const x = 1 - ((event.clientX - box.left - box.width / 2) / (canvas.width * scale) + 0.5);
    const z = 1 - ((event.clientY - box.top - box.height / 2) / (canvas.height * scale) + 0.5);
    if (x < 0 || x > 1 || z < 0 || z > 1) return;
    const px = planeOf(x, 0), pz = planeOf(z, 2);
    go([(px + 0.5) / mip.nx, (mip.depth[pz * mip.nx + px] + 0.5) / along[1].index.length, (pz + 0.5) / mip.nz]);
  }

  // --- outlines -----------------------------------------------------------------------------------------------

  function drawOutlines() {
    const overlay = at("overlay"), gl = at("gl");
    if (overlay.width !== gl.width || overlay.height !== gl.height) {
      overlay.width = gl.width;
      overlay.height = gl.height;
    }
    const ink = overlay.getContext("2d");
    ink.clearRect(0, 0, overlay.width, overlay.height);
    if (!regions) return;
    const dpr = nv.uiData.dpr || 1;
    nv.screenSlices.forEach((tile, n) => {
      if (tile.axCorSag > 2) return;
      const [left, top, width, height] = tile.leftTopWidthHeight;
      const across = [[0, 1, 2], [0, 2, 1], [1, 2, 0]][tile.axCorSag]; // horizontal, vertical, through
      const a = nv.screenXY2TextureFrac(left + 0.25 * width, top + 0.25 * height, n, false);
      const b = nv.screenXY2TextureFrac(left + 0.75 * width, top + 0.75 * height, n, false);
      const [u, v, w] = across;
      const x = (f) => left + width * (0.25 + 0.5 * (f - a[u]) / (b[u] - a[u]));
      const y = (f) => top + height * (0.25 + 0.5 * (f - a[v]) / (b[v] - a[v]));
      ink.save();
      ink.beginPath();
      ink.rect(left, top, width, height);
      ink.clip();
      const plane = along[w].index[planeOf(nv.scene.crosshairPos[w], w)];
      if (at("outlines").checked) regions.forEach((region, number) => {
        if (!state.hidden.has(number)) outline(ink, region, [u, v, w], plane, x, y, dpr, number === state.chosen);
      });
      if (at("crosshair").checked) cross(ink, left, top, width, height, x(nv.scene.crosshairPos[u]), y(nv.scene.crosshairPos[v]), dpr);
      ink.restore();
      letter(ink, Math.min(left, left + width), top, Math.abs(width), height, b[u] > a[u] !== width < 0 ? ENDS[u] : [...ENDS[u]].reverse(), ENDS[v], dpr);
      const per_mm = Math.abs(x(1) - x(0)) / (along[u].index.length * along[u].step);
      scaleBar(ink, Math.min(left, left + width), top + height, Math.abs(width), per_mm, dpr);
    });
  }

  function cross(ink, left, top, width, height, x, y, dpr) {
    const gap = GAP_PX * dpr;
    ink.strokeStyle = "#d55e00";
    ink.lineWidth = dpr;
    ink.beginPath();
    for (const [x0, y0, x1, y1] of [[Math.min(left, left + width), y, x - gap, y], [x + gap, y, Math.max(left, left + width), y],
      [x, top, x, y - gap], [x, y + gap, x, top + height]]) {
      ink.moveTo(x0, y0);
      ink.lineTo(x1, y1);
    }
    ink.stroke();
  }

  // Where the patient's sides are, at the four edges of a plane; the head and the front are up.
  function letter(ink, left, top, width, height, [first, last], [below, above], dpr) {
    const size = 13 * dpr, pad = 4 * dpr;
    ink.font = `600 ${size}px system-ui, sans-serif`;
    ink.fillStyle = "#ffe9b8";
    ink.strokeStyle = "#000";
    ink.lineWidth = 3 * dpr;
    ink.textBaseline = "middle";
    const put = (text, x, y, align) => { ink.textAlign = align; ink.strokeText(text, x, y); ink.fillText(text, x, y); };
    put(first, left + pad, top + height / 2, "left");
    put(last, left + width - pad, top + height / 2, "right");
    put(above, left + width / 2 + pad, top + pad + size / 2, "left");
    put(below, left + width / 2 + pad, top + height - pad - size / 2, "left");
  }

  function scaleBar(ink, left, bottom, width, per_mm, dpr) {
    const length_mm = BARS_MM.find((mm) => mm * per_mm <= width / 4);
    if (!length_mm) return;
    const x = left + 6 * dpr, y = bottom - 8 * dpr;
    ink.font = `600 ${11 * dpr}px system-ui, sans-serif`;
    ink.textAlign = "left";
    for (const [colour, wide] of [["#000", 5], ["#ffe9b8", 2]]) {
      ink.strokeStyle = colour;
      ink.lineWidth = wide * dpr;
      ink.beginPath();
      ink.moveTo(x, y);
      ink.lineTo(x + length_mm * per_mm, y);
      ink.stroke();
    }
    ink.strokeStyle = "#000";
    ink.lineWidth = 3 * dpr;
    ink.strokeText(`${length_mm / 10} cm`, x, y - 9 * dpr);
    ink.fillText(`${length_mm / 10} cm`, x, y - 9 * dpr);
  }

  function outline(ink, region, [u, v, w], plane, x, y, dpr, isChosen) {
    const [across, up, through] = [along[u], along[v], along[w]];
    if (plane < region.low[through.axis] || plane > region.high[through.axis]) return;
    const kji = [0, 0, 0], beside = [0, 0, 0];
    kji[through.axis] = beside[through.axis] = plane;
    const holds = (p, q) => { beside[across.axis] = p; beside[up.axis] = q; return region.holds(beside); };
    // the neighbour towards higher fractions is the next index, or the one before when the axis is reversed
    const du = picture.reversed[u] ? -1 : 1, dv = picture.reversed[v] ? -1 : 1;
    const path = new Path2D();
    const line = (x0, y0, x1, y1) => { path.moveTo(x0, y0); path.lineTo(x1, y1); };
    for (let p = region.low[across.axis]; p <= region.high[across.axis]; p++) {
      for (let q = region.low[up.axis]; q <= region.high[up.axis]; q++) {
        if (!holds(p, q)) continue;
        const x0 = x(across.low.get(p)), x1 = x(across.high.get(p)), y0 = y(up.low.get(q)), y1 = y(up.high.get(q));
        if (!holds(p - du, q)) line(x0, y0, x0, y1);
        if (!holds(p + du, q)) line(x1, y0, x1, y1);
        if (!holds(p, q - dv)) line(x0, y0, x1, y0);
        if (!holds(p, q + dv)) line(x0, y1, x1, y1);
      }
    }
    stroked(ink, path, region, (isChosen ? 2.5 : 1.5) * dpr, (isChosen ? 5 : 3.5) * dpr);
  }

  function stroked(ink, path, region, wide, casing) {
    ink.lineCap = "round";
    ink.strokeStyle = CASING;
    ink.lineWidth = casing;
    ink.stroke(path);
    if (region.kind === "background") {
      ink.lineCap = "butt";
      ink.setLineDash([2.5 * wide, 2.5 * wide]);
    }
    ink.strokeStyle = region.colour;
    ink.lineWidth = wide;
    ink.stroke(path);
    ink.setLineDash([]);
  }

  // --- moving -------------------------------------------------------------------------------------------------

  function go(fractions) {
    nv.scene.crosshairPos = fractions;
    nv.drawScene();
    moved();
  }

  function moved() {
    say(at("at"), "Crosshair:", nv.scene.crosshairPos);
    drawMip();
  }

  function choose(number) {
    state.chosen = number;
    document.querySelectorAll("tr[data-region]").forEach((row) => {
      row.setAttribute("aria-current", String(Number(row.dataset.region) === number));
    });
    go(fractionsOf(regions[number].place));
    at("planes").scrollIntoView({ block: "nearest" }); // in a narrow window the table lies below them
  }

  const STEPS = { ArrowLeft: [0, 1], ArrowRight: [0, -1], ArrowUp: [1, 1], ArrowDown: [1, -1], PageUp: [2, 1], PageDown: [2, -1] };
  function stepped(event) {
    event.stopPropagation(); // NiiVue's own keys change what the buttons show
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const fractions = Array.from(nv.scene.crosshairPos), [n, by] = step, count = along[n].index.length;
    fractions[n] = (Math.min(Math.max(planeOf(fractions[n], n) + by, 0), count - 1) + 0.5) / count;
    go(fractions);
  }

  function pointed(event) {
    const box = at("gl").getBoundingClientRect(), dpr = nv.uiData.dpr || 1;
    const fractions = nv.canvasPos2frac([(event.clientX - box.left) * dpr, (event.clientY - box.top) * dpr]);
    if (fractions[0] < 0) at("pointer").replaceChildren();
    else say(at("pointer"), "Pointer:", fractions);
  }

  // Numbers begin with the largest, names with the first; what is not defined stays last.
  function sorted(head) {
    const isNumber = head.classList.contains("n"), body = head.closest("table").tBodies[0];
    const [first, second] = isNumber ? ["descending", "ascending"] : ["ascending", "descending"];
    const order = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of head.parentElement.cells) if (other.ariaSort) other.ariaSort = other === head ? order : "none";
    const key = (row) => isNumber ? row.cells[head.cellIndex].dataset.key : row.querySelector(".jump").textContent;
    const compared = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return (order === "ascending" ? 1 : -1) * (isNumber ? x - y : x.localeCompare(y, "en", { numeric: true }));
    };
    body.append(...[...body.rows].sort(compared));
  }

  function setWindow(lower, upper) {
    if (!(Number.isFinite(lower) && Number.isFinite(upper) && upper > lower)) return show(); // as it was
    state.lower = lower;
    state.upper = upper;
    show();
  }

  function listen() {
    at("modes").addEventListener("click", ({ target }) => { if (target.dataset.mode) { state.mode = target.dataset.mode; show(); } });
    at("windows").addEventListener("click", ({ target: { dataset } }) => {
      if (dataset.upper) setWindow(0, dataset.upper === "auto" ? facts.auto_upper : Number(dataset.upper));
    });
    for (const id of ["lower", "upper"]) {
      at(id).addEventListener("change", () => setWindow(at("lower").valueAsNumber, at("upper").valueAsNumber));
    }
    at("colours").addEventListener("change", ({ target }) => { state.colours[state.mode] = target.value; show(); });
    at("opacity")?.addEventListener("input", ({ target }) => { state.opacity = target.valueAsNumber / 100; nv.overlayAlphaShader = state.opacity; nv.drawScene(); });
    at("ct-windows")?.addEventListener("click", ({ target: { dataset } }) => {
      if (dataset.level) { state.level = Number(dataset.level); state.width = Number(dataset.width); show(); }
    });
    at("outlines").addEventListener("change", () => { drawOutlines(); drawMip(); });
    at("smooth").addEventListener("change", ({ target }) => {
      nv.setInterpolation(!target.checked);
      if (facts.ct) petImage.img = split(shown, target.checked).values;
      show();
    });
    at("crosshair").addEventListener("change", () => { drawOutlines(); drawMip(); });
    at("layout").addEventListener("change", ({ target }) => nv.setSliceType(Number(target.value)));
    at("reset").addEventListener("click", () => nv.setPan2Dxyzmm([0, 0, 0, 1]));
    at("mip").addEventListener("click", goByMip);
    at("planes").addEventListener("keydown", stepped, true);
    at("planes").addEventListener("keyup", (event) => event.stopPropagation(), true);
    // NiiVue: a drag mode of "pan" makes every turn of the wheel a zoom
    at("planes").addEventListener("wheel", (event) => { nv.opts.dragMode = event.ctrlKey ? PAN : NONE; }, true);
    at("planes").addEventListener("mousedown", () => { nv.opts.dragMode = PAN; }, true);
    at("gl").addEventListener("mousemove", pointed);
    at("gl").addEventListener("mouseleave", () => at("pointer").replaceChildren());
    document.querySelectorAll("tr[data-region]").forEach((row) => {
      const number = Number(row.dataset.region), box = row.querySelector("input");
      row.querySelector("i").style.borderColor = regions[number].colour;
      if (facts.regions[number].place) row.querySelector(".jump").addEventListener("click", () => choose(number));
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(number);
        else state.hidden.add(number);
        drawOutlines();
        drawMip();
      });
    });
    document.querySelectorAll(".sorts").forEach((button) => button.addEventListener("click", () => sorted(button.parentElement)));
    at("all")?.addEventListener("change", ({ target }) => {
      document.querySelectorAll("tr[data-region] input").forEach((box) => {
        if (box.checked !== target.checked) box.click();
      });
    });
  }

  async function start() {
    if (typeof DecompressionStream === "undefined" || typeof OffscreenCanvas === "undefined") {
      throw new Error("this browser is too old: it lacks DecompressionStream or OffscreenCanvas");
    }
    const [stored, runs, ct] = await Promise.all(["pet", "regions", ...(facts.ct ? ["ct"] : [])].map(unpacked));
    numbers = new ARRAYS[pet.dtype](stored);
    regions = readRegions(new Int32Array(runs));
    shown = turned(pet.shape, along, new Float32Array(along.reduce((n, line) => n * line.index.length, 1)),
      (m, k) => pet.slope[k] * numbers[m] + pet.intercept[k]);
    mip = projected(shown);

    nv = new niivue.Niivue({ logLevel: "error", isRadiologicalConvention: true, dragAndDropEnabled: false,
      multiplanarShowRender: 0, multiplanarForceRender: false, dragMode: PAN, crosshairWidth: 0, sagittalNoseLeft: true, isOrientationTextVisible: false, loadingText: "",
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "", multiplanarPadPixels: 4 });
    await nv.attachToCanvas(at("gl"));
    at("gl").tabIndex = -1; // the planes around it take the keys
    for (const [name, map] of Object.entries(MAPS)) nv.addColormap(name, { ...map, A: map.I.map(() => 255), min: 0, max: 0 });
    const draw = nv.drawScene.bind(nv);
    nv.drawScene = (...given) => { const drawn = draw(...given); drawOutlines(); return drawn; };
    nv.updateGLVolume = () => {}; // it takes all volumes to the graphics card; once, by show(), is enough
    if (facts.ct) {
      const lines = ctLines(), size = lines.map((line) => line.index.length);
      const shape = [0, 0, 0];
      lines.forEach((line) => { shape[line.axis] = line.index.length; });
      const source = new Int16Array(ct);
      hu = turned(shape, lines, new Int16Array(size[0] * size[1] * size[2]), (m) => source[m]);
      ctImage = await niivue.NVImage.new(nifti(hu, lines.map((line) => line.step)), "ct.nii", "gray", 1, null, -160, 240);
      nv.addVolume(ctImage);
    }
    const lines = facts.ct ? ctLines() : along, drawn = facts.ct ? split(shown, true) : shown;
    petImage = await niivue.NVImage.new(nifti(drawn, lines.map((line) => line.step)), "pet.nii", "gray", 1, null, state.lower, state.upper);
    nv.addVolume(petImage);
    delete nv.updateGLVolume;
    nv.onLocationChange = moved;
    at("wait").hidden = true;
    listen();
    show();
    const first = facts.regions.findIndex((region) => region.place);
    if (first >= 0) choose(first);
    else go([0.5, 0.5, 0.5]);
    document.documentElement.dataset.ready = "yes";
  }

  start().catch((error) => {
    at("wait").hidden = true;
    at("failure").hidden = false;
    at("failure").textContent = `The pictures cannot be shown: ${error.message || error}. The table is complete.`;
    document.documentElement.dataset.ready = "failed";
  });
})();
