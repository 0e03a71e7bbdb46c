"""The class names of COCO."""

_COCO = """
person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,
handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,
surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,
broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,
laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,
scissors,teddy bear,hair drier,toothbrush
"""

COCO = [name.strip() for name in _COCO.split(",")]
"""The 80 classes of COCO in the order of its detection task."""

_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}

COCO_IDS = dict(zip((i for i in range(1, 91) if i not in _UNUSED), COCO, strict=True))
"""The same classes by the ids of COCO's annotations, 1..90 with gaps."""
