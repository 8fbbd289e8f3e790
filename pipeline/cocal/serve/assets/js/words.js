// The page's words in both languages, and numbers as people read them.

import { CARD_WORDS } from "./words_card.js";
import { TOOL_WORDS } from "./words_tools.js";

const WORDS = {
  ...CARD_WORDS, ...TOOL_WORDS,
  title: ["Mapa de coca por región", "Map of coca by region"],
  language: ["Idioma", "Language"],
  simulated: [
    "SIMULADO: paisaje inventado. Nada en este mapa describe un lugar real.",
    "SIMULATED: an invented landscape. Nothing on this map describes a real place.",
  ],
  public: ["Perfil público", "Public profile"],
  restricted: ["Perfil restringido: no difundir", "Restricted profile: not for circulation"],
  map: ["Mapa", "Map"],
  choose: ["Qué mostrar", "What to show"],
  run: ["Corrida", "Run"],
  period: ["Período", "Period"],
  run_b: ["Corrida a la derecha", "Run on the right"],
  period_b: ["Período a la derecha", "Period on the right"],
  colours: ["Colores", "Colours"],
  "layer.none": ["Solo límites", "Outlines only"],
  "layer.class": ["Clases", "Classes"],
  "layer.probability": ["Probabilidad de {target}", "Probability of {target}"],
  "layer.looks": ["Fechas despejadas", "Clear dates"],
  "layer.margin": ["Margen entre las dos clases más probables", "Margin between the two likeliest classes"],
  "layer.applicability": ["Dónde el modelo es aplicable", "Where the model applies"],
  "doubt.next": ["Próximo lugar dudoso", "Next doubtful place"],
  "doubt.at": [
    "Lugar dudoso {n} de {of}, del más dudoso al menos: probabilidad de {target} {p}",
    "Doubtful place {n} of {of}, most doubtful first: probability of {target} {p}",
  ],
  "doubt.none": ["No hay lugares dudosos.", "There are no doubtful places."],
  "layer.image": ["Imagen de satélite", "Satellite image"],
  picture: ["Qué muestra la imagen", "What the image shows"],
  "picture.true": ["Color natural", "True colour"],
  "picture.false": ["Falso color (nir, swir16, red)", "False colour (nir, swir16, red)"],
  "picture.infrared": ["Infrarrojo (nir, red, green)", "Infrared (nir, red, green)"],
  "picture.own": ["Tres bandas a elegir", "Three bands of your choice"],
  indices: ["Índices", "Indices"],
  "band.0": ["En rojo", "In red"],
  "band.1": ["En verde", "In green"],
  "band.2": ["En azul", "In blue"],
  dates: ["Fechas", "Dates"],
  median: ["Mediana del período", "Median of the period"],
  cloud: ["{p} nubes", "{p} cloud"],
  cloud_unknown: ["sin dato", "no data"],
  strip_about: [
    "{m} m en torno al centro o al píxel elegido; nubes según la máscara",
    "{m} m around the middle or the chosen pixel; cloud by the mask",
  ],
  strip_none: ["En el centro del mapa no hay imágenes.", "There are no images in the middle of the map."],
  images_far: ["Acérquese para ver imágenes.", "Zoom in to see images."],
  layer_b: ["Colores a la derecha", "Colours on the right"],
  same: ["Los mismos", "The same"],
  when_b: ["Fecha a la derecha", "Date on the right"],
  "layer.density": ["Hectáreas de {target} por km²", "Hectares of {target} per km²"],
  "layer.hectares": ["Regiones por hectáreas de {target}", "Regions by hectares of {target}"],
  "layer.width": ["Regiones por ancho del intervalo", "Regions by width of interval"],
  relief: ["Relieve", "Relief"],
  points: ["Puntos de campo", "Field points"],
  compare: ["Comparar lado a lado", "Compare side by side"],
  swipe: ["Posición del corte entre los dos mapas, en por ciento", "Position of the cut between the two maps, per cent"],
  legend: ["Leyenda", "Legend"],
  not_observed: ["No observado", "Not observed"],
  no_figure: ["Sin cifra", "No figure"],
  pixel_mark: ["Píxel elegido", "Chosen pixel"],
  agrees: ["Campo y mapa coinciden", "Field and map agree"],
  differs: ["Campo y mapa difieren", "Field and map differ"],
  not_compared: ["Punto sin cotejo", "Point not compared"],
  imagery: ["Imágenes: contiene datos modificados de Copernicus Sentinel {years}.", "Images: contains modified Copernicus Sentinel data {years}."],
  office: ["Mapa de una oficina: {id}, {source} ({licence}).", "An office's own map: {id}, {source} ({licence})."],
  office_invented: ["Mapa SIMULADO de una oficina: {id}, {source} ({licence}).", "SIMULATED map of an office: {id}, {source} ({licence})."],
  invented: ["Imágenes: SIMULADAS, {years}.", "Images: SIMULATED, {years}."],
  sources: ["Límites: {files}. Sin mapa base{relief}. MapLibre GL JS (BSD-3).", "Boundaries: {files}. No base map{relief}. MapLibre GL JS (BSD-3)."],
  sources_relief: ["; relieve del modelo de elevación de la corrida", "; relief from the run's elevation model"],
  shares: ["Partes de clases en este píxel: {shares}", "Parts of classes in this pixel: {shares}"],
  details: ["Cifras", "Figures"],
  state: ["Estado de la cifra: {state}", "State of the figure: {state}"],
  failed: [
    "{n} tesela(s) de este período no se pudieron clasificar: cuentan como no observadas.",
    "{n} tile(s) of this period could not be classified: they count as not observed.",
  ],
  regions: ["Regiones", "Regions"],
  region: ["Región", "Region"],
  estimated: ["Estimada (ha)", "Estimated (ha)"],
  mapped: ["Mapeada (ha)", "Mapped (ha)"],
  mapped_only: ["Conteo del mapa, no es una estimación", "Map count, not an estimate"],
  "mapped.public": ["Mapeada, lo que se muestra (ha)", "Mapped, what is shown (ha)"],
  "mapped_only.public": ["Suma del mapa donde puede mostrarse, no todo lo que el mapa tiene", "Sum of the map where it can be shown, not all that the map holds"],
  "no_figure.public": ["No se muestra: pocas parcelas o ninguna", "Not shown: few plots or none"],
  interval: ["Intervalo (ha)", "Interval (ha)"],
  few: ["muy pocos puntos", "too few points"],
  unobserved_share: ["No observado: {share}", "Not observed: {share}"],
  class: ["Clase", "Class"],
  hectares_legend: ["{what} de {target}", "{what} of {target}"],
  width_legend: [
    "Ancho del intervalo respecto de la superficie estimada de {target}",
    "Width of the interval relative to the estimated area of {target}",
  ],
  list_of: ["{period}: superficie de {target} por región", "{period}: area of {target} by region"],
  table_of: ["{period}: superficie por clase", "{period}: area by class"],
  method: ["{estimator}; intervalo {interval} del {level}; {n} puntos de referencia", "{estimator}; {interval} interval, {level}; {n} reference points"],
  small_area: [
    "Por modelo: {ha} ha, {ends}. Supone que el mapa omite aquí tanto como en otras partes; el intervalo del cuadro no lo supone.",
    "By model: {ha} ha, {ends}. It assumes that the map misses as much here as elsewhere; the interval of the table does not.",
  ],
  before: ["Antes: {ha} ha ({source}). La diferencia no es una estimación del cambio.", "Before: {ha} ha ({source}). The difference is no estimate of change."],
  official: ["Cifra oficial: {ha} ha ({source})", "Official figure: {ha} ha ({source})"],
  pixel: ["Píxel de 10 m", "Pixel of 10 m"],
  says: ["El mapa dice: {class}", "The map says: {class}"],
  probability: ["Probabilidad de {target}: {p}", "Probability of {target}: {p}"],
  looks: ["Fechas despejadas en el período: {n}", "Clear dates in the period: {n}"],
  index: ["Índice", "Index"],
  beside: ["Comparar con", "Beside"],
  curve: [
    "Puntos: este píxel en fechas despejadas. Línea y banda: mediana y cuatro quintos centrales de los {n} píxeles que el mapa clasifica como {class} a menos de {m} m. Se compara con el mapa, no con el terreno.",
    "Dots: this pixel on clear dates. Line and band: median and middle four fifths of the {n} pixels that the map calls {class} within {m} m. It is a comparison with the map, not with the ground.",
  ],
  no_curve: [
    "Puntos: este píxel en fechas despejadas. A menos de {m} m hay muy pocos píxeles de {class} para decir qué es lo usual.",
    "Dots: this pixel on clear dates. Within {m} m there are too few pixels of {class} to say what is usual.",
  ],
  values: ["Valores por fecha", "Values by date"],
  date: ["Fecha", "Date"],
  usual: ["Usual (mediana)", "Usual (median)"],
  chart: ["{index} de este píxel durante el período, junto a la clase {class}", "{index} of this pixel over the period, beside the class {class}"],
  no_pixel: ["Aquí no hay mapa.", "There is no map here."],
  zoom_in: ["Acérquese para elegir un píxel.", "Zoom in to choose a pixel."],
  waiting: ["Leyendo…", "Reading…"],
  trouble: ["El servidor no pudo responder ({what}).", "The server could not answer ({what})."],
  point: ["Punto de campo {id}", "Field point {id}"],
  point_seen: ["Visto el {date}: {class}", "Seen on {date}: {class}"],
  close: ["Cerrar", "Close"],
  zoom_to: ["Ver en el mapa", "Show on the map"],
  "NavigationControl.ZoomIn": ["Acercar", "Zoom in"],
  "NavigationControl.ZoomOut": ["Alejar", "Zoom out"],
  "Map.Title": ["Mapa", "Map"],
};

let at = 0;
let open = false;

export const language = () => (at === 0 ? "es" : "en");

export function speak(chosen) {
  at = chosen === "en" ? 1 : 0;
}

/** Of a public map: words of the same name with `.public` stand in their place. */
export function publish(isPublic) {
  open = isPublic;
}

/** A sentence with its {places} filled in. */
export function t(key, values = {}) {
  const words = (open && WORDS[`${key}.public`]) || WORDS[key];
  return words[at].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** A text of the run: {es, en}. */
export const own = (text) => text[language()];

/** Write the words of the page's own elements. */
export function label(root) {
  document.documentElement.lang = language();
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}

/** 1.234,5 in Spanish, 1,234.5 in English; little is not none: < 0,1. */
export function number(value, decimals = 0) {
  const format = new Intl.NumberFormat(at === 0 ? "es-BO" : "en-US", {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: "always",
  });
  const least = 10 ** -decimals;
  return value > 0 && value < least / 2 ? `<\u00a0${format.format(least)}` : format.format(value);
}

export const hectares = (value) => (value === null ? "—" : number(value, value < 1000 ? 1 : 0));

export const span = (low, high) => (low === null || high === null ? "—" : `${hectares(low)} – ${hectares(high)}`);

export const percent = (fraction, decimals = 1) =>
  fraction === null ? "—" : number(100 * fraction, decimals) + (at === 0 ? "\u00a0%" : "%");
