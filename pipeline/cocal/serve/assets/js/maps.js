// The two maps of the stage, moved as one, the right one cut off left of the divider.

import { Map as GLMap, NavigationControl, ScaleControl } from "../vendor/maplibre-gl/maplibre-gl.mjs";
import { find } from "./dom.js";
import { mapStyle } from "./style.js";
import { t } from "./words.js";

const OPTIONS = {
  attributionControl: false, maplibreLogo: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, maxZoom: 18,
};

export class Maps {
  /** `onMove(camera)` after a move, `onClick(event, map, right)`; the camera is [zoom, latitude, longitude]. */
  constructor(onMove, onClick) {
    this.onMove = onMove;
    this.onClick = onClick;
    this.left = null;
    this.right = null;
    this.following = false;
  }

  /** Draw both sides; `right` is null where nothing is compared. */
  draw(left, right, camera) {
    this.left ??= this.make("map-a", left, camera);
    restyle(this.left, mapStyle(left));
    find("map-b").hidden = right === null;
    if (right === null) return;
    this.right ??= this.make("map-b", right, cameraOf(this.left));
    this.right.resize();
    restyle(this.right, mapStyle(right));
    this.follow(this.left, this.right);
  }

  /** Until the left map shows all that it was given, so that a click finds its regions. */
  async still() {
    if (!this.left.loaded()) await this.left.once("idle");
  }

  make(container, side, camera) {
    const [west, south, east, north] = side.run.bounds;
    const place = camera
      ? { zoom: camera[0], center: [camera[2], camera[1]] }
      : { bounds: [[west, south], [east, north]], fitBoundsOptions: { padding: 24 } };
    const map = new GLMap({ container, style: mapStyle(side), ...place, ...OPTIONS });
    map.once("style.load", () => {
      map.settled = true;
      if (map.wanted) map.setStyle(map.wanted, { diff: true });
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    if (container === "map-a") this.furnish(map);
    const other = () => (map === this.left ? this.right : this.left);
    map.on("move", () => this.follow(map, other()));
    map.on("moveend", () => this.onMove(cameraOf(map)));
    map.on("click", (event) => this.onClick(event, map, map === this.right));
    map.getCanvas().setAttribute("aria-label", t("Map.Title"));
    return map;
  }

  furnish(map) {
    this.scale = new ScaleControl({ unit: "metric" });
    map.addControl(this.scale, "bottom-left");
    this.buttons = new NavigationControl({ showCompass: false });
    map.addControl(this.buttons, "top-right");
    this.label();
  }

  /** Words of the map's own buttons in the language of the page. */
  label() {
    for (const map of [this.left, this.right]) map?.getCanvas().setAttribute("aria-label", t("Map.Title"));
    for (const [name, key] of [["zoom-in", "ZoomIn"], ["zoom-out", "ZoomOut"]]) {
      const button = document.querySelector(`.maplibregl-ctrl-${name}`);
      button?.setAttribute("aria-label", t(`NavigationControl.${key}`));
      button?.setAttribute("title", t(`NavigationControl.${key}`));
    }
  }

  follow(from, to) {
    if (!to || !from || this.following) return;
    this.following = true;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
    this.following = false;
  }

  camera() {
    return cameraOf(this.left);
  }

  look(camera) {
    this.left?.jumpTo({ zoom: camera[0], center: [camera[2], camera[1]] });
  }

  /** Longitude and latitude of the middle. */
  middle() {
    return placeOf(this.left.getCenter());
  }

  zoom() {
    return this.left.getZoom();
  }

  zoomsOnDoubleClick(does) {
    for (const map of [this.left, this.right]) map?.doubleClickZoom[does ? "enable" : "disable"]();
  }

  /** Copies of what the maps show, in their own pixels; the right one only where it is shown. */
  async grab() {
    const shown = [this.left, find("map-b").hidden ? null : this.right].filter(Boolean);
    return Promise.all(shown.map(async (map) => {
      while (!map.loaded()) await map.once("idle");
      return new Promise((done) => {
        map.once("render", () => done(copyOf(map.getCanvas()))); // the canvas is empty once this task has ended
        map.triggerRepaint();
      });
    }));
  }

  fit([west, south, east, north]) {
    this.left?.fitBounds([[west, south], [east, north]], { padding: 40, animate: false });
  }
}

/** Give a map its style; before its first one has settled there is no difference to apply, so it waits. */
function restyle(map, style) {
  map.wanted = style;
  if (map.settled) map.setStyle(style, { diff: true });
}

const cameraOf = (map) => {
  const { lng, lat } = map.getCenter();
  return [round(map.getZoom(), 2), round(lat, 6), round(lng, 6)];
};

/** Longitude and latitude with the digits that a place needs: 0.1 m. */
export const placeOf = (at) => [at.wrap().lng, at.lat].map((v) => round(v, 6));

function copyOf(canvas) {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy;
}

const round = (value, digits) => Number(value.toFixed(digits));
