// What the page says, in both languages.
"use strict";

const WORDS = {
  es: {
    title: "Puntos en imágenes", simulated: "SIMULADO: imágenes y puntos inventados", images: "Imágenes", dates: "Fechas",
    answer: "Respuesta", language: "Idioma", question: "¿Qué hay en el cuadro pequeño del centro, un píxel de 10 m?", certainty: "Certeza",
    sure: "seguro", likely: "probable", unsure: "dudoso", note: "Comentario", cannot_tell: "No se puede decir",
    back: "Anterior", next: "Siguiente", undo: "Deshacer", save: "Guardar respuestas en un archivo",
    true: "Color natural", false: "Falso color: infrarrojo cercano, onda corta, rojo", infrared: "Falso color: infrarrojo, rojo, verde",
    keys: "Teclas: 1 a 9 clase, 0 no se puede decir, Q W E certeza, ← → fecha, ↑ ↓ punto, C comentario, U deshacer.",
    point: (n, of) => `Punto ${n} de ${of}`, cloud: (share) => (share === null ? "nubes: no se sabe" : `nubes ${share} %`),
    progress: (n, of, pace, rest) => `${n} de ${of} respondidos` + (pace ? ` · ${pace} s por punto · quedan unos ${rest} min` : ""),
    kept: "Todo guardado", local: "Guardado en este navegador; al terminar, guarde el archivo", alone: "Este navegador no guarda: guarde el archivo a menudo",
    lost: (n) => `${n ? `${n} sin guardar: ` : ""}el servidor no responde; se intenta de nuevo`, sending: "Guardando",
    other: "Sin guardar: este servidor toma las respuestas de otra persona. Cierre esta ventana; al abrir la suya se envían.",
    given: (what) => `Su respuesta: ${what}`,
    none: "Aún sin respuesta", left_out: (n) => `${n} fechas con más de 90 % de nubes no se muestran.`, no_days: "Ninguna fecha despejada.",
    done: "No hay puntos por responder.", refused: (why) => `No se guardó: ${why}`, unread: (why) => `No se pueden leer las imágenes de este punto: ${why}`,
  },
  en: {
    title: "Points on images", simulated: "SIMULATED: invented images and points", images: "Images", dates: "Dates",
    answer: "Answer", language: "Language", question: "What is in the small square at the centre, one pixel of 10 m?", certainty: "Certainty",
    sure: "sure", likely: "likely", unsure: "unsure", note: "Comment", cannot_tell: "Cannot tell",
    back: "Previous", next: "Next", undo: "Undo", save: "Save the answers as a file",
    true: "True colour", false: "False colour: near infrared, short wave, red", infrared: "False colour: infrared, red, green",
    keys: "Keys: 1 to 9 class, 0 cannot tell, Q W E certainty, ← → date, ↑ ↓ point, C comment, U undo.",
    point: (n, of) => `Point ${n} of ${of}`, cloud: (share) => (share === null ? "cloud: not known" : `cloud ${share} %`),
    progress: (n, of, pace, rest) => `${n} of ${of} answered` + (pace ? ` · ${pace} s a point · about ${rest} min left` : ""),
    kept: "All kept", local: "Kept in this browser; save the file when you are done", alone: "This browser keeps nothing: save the file often",
    lost: (n) => `${n ? `${n} not kept yet: ` : ""}the server does not answer; trying again`, sending: "Keeping",
    other: "Not kept: this server takes the answers of another reader. Close this window; they are sent when yours is opened.",
    given: (what) => `Your answer: ${what}`,
    none: "No answer yet", left_out: (n) => `${n} dates with more than 90 % cloud are not shown.`, no_days: "No clear date.",
    done: "There is no point to answer.", refused: (why) => `Not kept: ${why}`, unread: (why) => `The images of this point cannot be read: ${why}`,
  },
};
