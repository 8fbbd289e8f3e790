"""What crews read, in both languages."""

from __future__ import annotations

LANGUAGES = {"es": "Español", "en": "English"}

FIELDS: dict[str, dict[str, str]] = {
    "point_id": {"es": "Punto", "en": "Point"},
    "visited": {"es": "¿Se llegó al punto?", "en": "Was the point reached?"},
    "why_not": {"es": "¿Por qué no se llegó?", "en": "Why was it not reached?"},
    "observed_on": {"es": "Fecha de la observación", "en": "Date of observation"},
    "position": {"es": "Posición medida en el punto", "en": "Position measured at the point"},
    "class": {"es": "¿Qué hay en el punto?", "en": "What is at the point?"},
    "cover": {"es": "Cobertura de esa clase en el píxel, %", "en": "Cover of that class in the pixel, %"},
    "coca_age": {"es": "Estado del cocal", "en": "State of the coca"},
    "second_class": {
        "es": "Clase según la segunda persona, sin consultar",
        "en": "Class by the second person, without asking the first",
    },
    "method": {"es": "Cómo se observó", "en": "How it was observed"},
    "observer": {"es": "Observa (iniciales o código)", "en": "Observer (initials or code)"},
    "second_observer": {"es": "Segunda persona (iniciales o código)", "en": "Second observer (initials or code)"},
    "photo": {"es": "Foto del punto, sin personas ni casas", "en": "Photo of the point, no people, no houses"},
    "notes": {"es": "Notas", "en": "Notes"},
}  # fmt: skip
"""Questions of the form, in their order."""

HINTS: dict[str, dict[str, str]] = {
    "position": {
        "es": "De pie en el punto, no en el camino; espere 5 m o mejor",
        "en": "Standing at the point, not on the road; wait for 5 m or better",
    },
    "class": {
        "es": "Lo que cubre el cuadrado de 10 m alrededor del punto, no lo vecino",
        "en": "What covers the 10 m square around the point, not what is next to it",
    },
    "notes": {"es": "Sin nombres de personas", "en": "No names of persons"},
}

CHOICES: dict[str, dict[str, dict[str, str]]] = {
    "yes_no": {"yes": {"es": "Sí", "en": "Yes"}, "no": {"es": "No", "en": "No"}},
    "why_not": {
        "refused": {"es": "No hubo permiso", "en": "No permission"},
        "danger": {"es": "No es seguro", "en": "Not safe"},
        "terrain": {"es": "Terreno o río", "en": "Terrain or river"},
        "time": {"es": "Faltó tiempo", "en": "No time left"},
        "other": {"es": "Otro motivo (notas)", "en": "Other (notes)"},
    },
    "coca_age": {
        "nursery": {"es": "Almácigo", "en": "Nursery"},
        "young": {"es": "Menos de un año", "en": "Under one year"},
        "productive": {"es": "En producción", "en": "Productive"},
        "pruned": {"es": "Podado (pillado) o recién cosechado", "en": "Pruned or freshly harvested"},
        "shade": {"es": "Bajo sombra o asociado", "en": "Under shade or mixed"},
        "abandoned": {"es": "Abandonado", "en": "Abandoned"},
    },
    "method": {
        "ground": {"es": "En el lugar", "en": "On the ground"},
        "across": {"es": "Desde enfrente, a la vista", "en": "Seen from across"},
        "air": {"es": "Desde el aire", "en": "From the air"},
        "image": {"es": "En imagen de muy alta resolución", "en": "On very high resolution imagery"},
    },
}  # fmt: skip

SHEET: dict[str, dict[str, str]] = {
    "title": {"es": "Hoja de campo", "en": "Field sheet"},
    "simulated": {"es": "SIMULADO: no son observaciones", "en": "SIMULATED: not observations"},
    "restricted": {
        "es": "Reservado: contiene posiciones. No publicar ni fotografiar.",
        "en": "Restricted: holds positions. Do not publish or photograph.",
    },
    "points": {"es": "Puntos", "en": "Points"},
    "reserves": {"es": "Puntos de reserva", "en": "Reserve points"},
    "reserve_rule": {
        "es": "Solo se visitan cuando la oficina nombra uno en lugar de un punto al que no se pudo llegar. "
        "El punto perdido se anota igual, con su motivo.",
        "en": "Visited only when the office names one in place of a point that could not be reached. "
        "The lost point is recorded all the same, with the reason.",
    },
    "rule": {
        "es": "Se anota lo que hay en el cuadrado de 10 m alrededor del punto, sea lo que sea. No se mueve el "
        "punto.",
        "en": "Record what is in the 10 m square around the point, whatever it is. The point is never moved.",
    },
    "position": {"es": "Latitud, longitud (WGS 84)", "en": "Latitude, longitude (WGS 84)"},
    "utm": {"es": "UTM (zona, este, norte, m)", "en": "UTM (zone, easting, northing, m)"},
    "reached": {"es": "Llegó", "en": "Reached"},
    "date": {"es": "Fecha", "en": "Date"},
    "class": {"es": "Clase", "en": "Class"},
    "cover": {"es": "%", "en": "%"},
    "gps": {"es": "GPS ± m", "en": "GPS ± m"},
    "initials": {"es": "Inic.", "en": "Init."},
    "notes": {"es": "Notas", "en": "Notes"},
    "classes": {"es": "Clases", "en": "Classes"},
    "yes_no": {"es": "sí / no", "en": "yes / no"},
}  # fmt: skip

VISIT = {
    "main": {"es": "Punto de la muestra", "en": "Point of the sample"},
    "reserve": {"es": "Reserva: solo si la oficina lo pide", "en": "Reserve: only if the office asks"},
}
